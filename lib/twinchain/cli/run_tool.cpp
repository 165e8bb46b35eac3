#include "twinchain/cli/run_tool.hpp"

#include <fcntl.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <exception>

#include "twinchain/base/text.hpp"
#include "twinchain/sys/fd.hpp"

namespace twinchain::cli {
namespace {

const char* tool_name = "twinchain";
bool is_verbose = false;

std::atomic<int> signals_seen{0};
int stop_pipe_read = -1;
int stop_pipe_write = -1;
int grace_timer = -1;

void say(std::string_view kind, std::string_view message) {
  std::string line = tool_name;
  line += ": ";
  line += kind;
  line += ": ";
  line += message;
  line += '\n';
  (void)write_all(STDERR_FILENO, as_bytes(line));  // nowhere left to complain
}

// Async-signal-safe only: write, timerfd_settime, _exit.
void on_stop_signal(int signal_number) {
  const int saved_errno = errno;
  const int seen = signals_seen.fetch_add(1) + 1;
  if (seen >= 3) ::_exit(128 + signal_number);
  const char byte = 0;
  if (seen == 1) (void)!::write(stop_pipe_write, &byte, 1);
  itimerspec when{};
  when.it_value.tv_sec = seen == 1 ? 5 : 0;
  when.it_value.tv_nsec = seen == 1 ? 0 : 1;
  (void)::timerfd_settime(grace_timer, 0, &when, nullptr);  // nothing to be done about it here
  errno = saved_errno;
}

void install_signals() {
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0) {
    stop_pipe_read = ends[0];
    stop_pipe_write = ends[1];
  }
  grace_timer = ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  struct sigaction action{};
  action.sa_handler = on_stop_signal;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  action.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &action, nullptr);
}

/// Ends as a program without a handler would: silently, by SIGPIPE.
[[noreturn]] void end_by_sigpipe() {
  struct sigaction action{};
  action.sa_handler = SIG_DFL;
  ::sigaction(SIGPIPE, &action, nullptr);
  (void)::raise(SIGPIPE);
  ::_exit(128 + SIGPIPE);
}

int usage_error(const CLI::App& app, const CLI::ParseError& error) {
  std::string message = error.what();
  if (!message.empty() && message[0] >= 'A' && message[0] <= 'Z' && message.substr(1, 1) >= "a") {
    message[0] = static_cast<char>(message[0] - 'A' + 'a');
  }
  while (!message.empty() && (message.back() == '.' || message.back() == '\n')) message.pop_back();
  const CLI::App* deepest = &app;
  while (!deepest->get_subcommands().empty()) deepest = deepest->get_subcommands().front();
  std::string command = tool_name;
  if (deepest != &app) {
    command += ' ';
    command += deepest->get_name();
  }
  command += " --help shows what it takes";
  print_error({ExitCode::usage, escape(message, 400), command});
  return static_cast<int>(ExitCode::usage);
}

/// An option that may be repeated takes one value each time: "--key a.pub record" must not take
/// the record for a second key.
void take_one_value_a_time(CLI::App& app) {
  for (CLI::Option* option : app.get_options()) {
    if (!option->get_positional()) option->allow_extra_args(false);
  }
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) {
    take_one_value_a_time(*command);
  }
}

Result<ExitCode> guarded(const std::function<Result<ExitCode>()>& body) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return fail(ExitCode::system, "out of memory");
  } catch (const std::exception& error) {
    return fail(ExitCode::bug, "unexpected exception: " + escape(error.what(), 400),
                "this is a bug: please report it with the command that shows it");
  }
}

}  // namespace

int run_tool(int argc, char** argv, const Tool& tool, const std::function<void(CLI::App&)>& define,
             const std::function<Result<ExitCode>()>& body) {
  tool_name = tool.name;
  CLI::App app(tool.summary, tool.name);
  app.set_version_flag("--version", std::string(tool.name) + " " + TWINCHAIN_VERSION,
                       "Print the version and exit");
  app.set_help_flag("-h,--help", "Print this help and exit");
  app.add_flag("-v,--verbose", is_verbose, "Say more on standard error");
  app.get_formatter()->column_width(32);
  app.fallthrough();
  std::string footer = "example:\n";
  for (const std::string_view line : split(tool.example, '\n')) {
    footer += "  ";
    footer += line;
    footer += '\n';
  }
  footer += "See also: ";
  footer += tool.name;
  footer += "(1), twinchain(7)";
  app.footer(footer);
  define(app);
  take_one_value_a_time(app);
  if (!app.get_subcommands([](const CLI::App*) { return true; }).empty() &&
      app.get_require_subcommand_max() == 0) {
    app.require_subcommand(1);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return write_all(STDOUT_FILENO, as_bytes(app.help())) ? 0 : static_cast<int>(ExitCode::system);
  } catch (const CLI::CallForVersion&) {
    std::string line = tool.name;
    line += " " TWINCHAIN_VERSION "\n";
    return write_all(STDOUT_FILENO, as_bytes(line)) ? 0 : static_cast<int>(ExitCode::system);
  } catch (const CLI::ParseError& error) {
    return usage_error(app, error);
  }
  install_signals();
  const auto outcome = guarded(body);
  if (outcome) return static_cast<int>(*outcome);
  if (is_broken_pipe(outcome.error())) end_by_sigpipe();
  print_error(outcome.error());
  return static_cast<int>(outcome.error().code);
}

ToolForm tool_form(int argc, char** argv, std::initializer_list<std::string_view> commands) {
  const std::vector<std::string_view> words(argv + 1, argv + std::max(argc, 1));
  const auto is_verbose_flag = [](std::string_view word) {
    return word == "-v" || word == "--verbose";
  };
  const auto first = std::find_if_not(words.begin(), words.end(), is_verbose_flag);
  if (first != words.end() &&
      std::find(commands.begin(), commands.end(), *first) != commands.end()) {
    return ToolForm::command;
  }
  const bool help = std::any_of(words.begin(), words.end(), [](std::string_view word) {
    return word == "-h" || word == "--help";
  });
  return help ? ToolForm::help : ToolForm::plain;
}

void print_error(const Error& error) {
  say("error", error.message);
  if (!error.hint.empty()) say("hint", error.hint);
}

void warn(std::string_view message) {
  say("warning", message);
}
void note(std::string_view message) {
  say("note", message);
}
void detail(std::string_view message) {
  if (is_verbose) say("note", message);
}
bool verbose() {
  return is_verbose;
}

int source_stop_fd() {
  return stop_pipe_read;
}
int filter_stop_fd() {
  return grace_timer;
}
bool stop_requested() {
  return signals_seen.load() > 0;
}

bool progress_allowed() {
  if (::isatty(STDERR_FILENO) == 0) return false;
  const char* terminal = std::getenv("TERM");
  return terminal != nullptr && std::string_view(terminal) != "dumb";
}

}  // namespace twinchain::cli
