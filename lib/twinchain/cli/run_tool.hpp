// The frame of every tool: options, messages, exit codes, signals. Floor 1 (beside sys).
//
// One place turns an outcome into an exit code. CLI11 is included by tools and by this module's
// sources only; headers name its App and no more, because including it costs four seconds.
#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

#include "twinchain/base/result.hpp"

namespace CLI {
class App;
}

namespace twinchain::cli {

struct Tool {
  const char* name;     ///< "hashchain"
  const char* summary;  ///< one sentence for --help
  const char* example;  ///< shown at the end of --help: one or more command lines
};

/// Parses options, runs the body, prints its error and gives the exit code. `define` adds options
/// to the App (--help, --version and -v/--verbose are there already) and binds them to variables
/// that `body` reads. Subcommands are required when `define` adds any, unless it has set their
/// number itself. Ignores SIGPIPE while running, and ends by it when standard output's reader has
/// gone.
int run_tool(int argc, char** argv, const Tool& tool, const std::function<void(CLI::App&)>& define,
             const std::function<Result<ExitCode>()>& body);

/// Of a tool that has commands beside its plain form: which of both the arguments are. A command is
/// the first argument (but for -v), so that a file of that name can be given anywhere else, or as
/// ./NAME. `help`: --help for the tool as a whole, where both are to be defined.
enum class ToolForm { plain, command, help };
ToolForm tool_form(int argc, char** argv, std::initializer_list<std::string_view> commands);

/// Messages on standard error, one line each: "<tool>: error: ...". Thread-safe. The caller has
/// escaped untrusted parts.
void print_error(const Error& error);
void warn(std::string_view message);
/// Shown always: what a person must know of a run that went well.
void note(std::string_view message);
/// Shown with -v only.
void detail(std::string_view message);
bool verbose();

/// Becomes readable at the first SIGINT or SIGTERM: for tools that are the source of a pipeline.
int source_stop_fd();
/// Becomes readable 5 s after the first, or at the second SIGINT or SIGTERM: for filters, which in
/// a pipeline that is stopped as a whole go on until their input ends. The third signal kills.
int filter_stop_fd();
bool stop_requested();

/// True when a progress line may be drawn: standard error is a terminal that moves its cursor.
bool progress_allowed();

}  // namespace twinchain::cli
