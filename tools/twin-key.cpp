// twin-key: makes, shows and rotates the keys that sign links.

#include <unistd.h>

#include <CLI/CLI.hpp>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/chain/keys.hpp"
#include "twinchain/chain/seal.hpp"
#include "twinchain/cli/run_tool.hpp"
#include "twinchain/crypto/signed_note.hpp"
#include "twinchain/sys/fd.hpp"

namespace {

using namespace twinchain;

struct Options {
  std::string key;
  std::string signer_name;
  std::vector<std::string> states;
  bool force = false;
  bool witness = false;
};

Status print(std::string_view text) {
  return write_all(STDOUT_FILENO, as_bytes(text));
}

Result<ExitCode> make_new(const Options& options) {
  std::string signer_name = options.signer_name;
  if (signer_name.empty()) {
    const std::string path = chain::secret_key_path(options.key);
    const std::size_t slash = path.find_last_of('/');
    signer_name = path.substr(slash == std::string::npos ? 0 : slash + 1);
    signer_name.resize(signer_name.size() - std::string_view(".key").size());
  }
  auto made = chain::create_key_files(real_fs(), options.key, signer_name);
  if (!made) return pass(made);
  cli::detail("key id " + to_hex(chain::key_id(made->epochs.back().key)));
  return ExitCode::success;
}

/// A file of exactly this name, else NAME.pub, else NAME.key.
Result<std::string> find_key_file(const std::string& name_or_path) {
  for (const std::string& path : {name_or_path, chain::public_key_path(name_or_path)}) {
    auto there = real_fs().exists(path);
    if (!there) return pass(there);
    if (*there) return path;
  }
  return chain::secret_key_path(name_or_path);
}

Result<ExitCode> show(const Options& options) {
  auto path = find_key_file(options.key);
  if (!path) return pass(path);
  auto key = chain::read_public_part(real_fs(), *path);
  if (!key) return pass(key);
  std::string text = "name:          " + key->name + "\n";
  const auto field = [&text](const char* label, const std::string& value) {
    text += label;
    text += value;
    text += '\n';
  };
  const chain::PublicKeyFile::Epoch& now = key->epochs.back();
  field("epoch:         ", decimal(std::uint64_t{now.number}));
  field("public key:    ", to_hex(now.key));
  field("key id:        ", to_hex(chain::key_id(now.key)));
  field("next key hash: ", to_hex(now.next_key_hash));
  for (std::size_t i = 0; i + 1 < key->epochs.size(); ++i) {
    const chain::PublicKeyFile::Epoch& epoch = key->epochs[i];
    field("earlier key:   ", "epoch " + decimal(std::uint64_t{epoch.number}) + ", id " +
                                 to_hex(chain::key_id(epoch.key)));
  }
  TWINCHAIN_TRY(print(text));
  return ExitCode::success;
}

Result<ExitCode> print_public(const Options& options) {
  auto key = chain::read_secret_key(real_fs(), chain::secret_key_path(options.key));
  if (!key) return pass(key);
  TWINCHAIN_TRY(print(chain::encode_public_key({key->name, {chain::public_epoch(*key)}})));
  return ExitCode::success;
}

Result<ExitCode> print_note_key(const Options& options) {
  auto path = find_key_file(options.key);
  if (!path) return pass(path);
  auto key = chain::read_public_part(real_fs(), *path);
  if (!key) return pass(key);
  NoteKey note;
  note.name = options.signer_name.empty() ? key->name : options.signer_name;
  note.type = options.witness ? NoteKeyType::cosignature : NoteKeyType::ed25519;
  note.key = key->epochs.back().key;
  if (!is_note_name(note.name)) {
    return fail(ExitCode::usage, "a note cannot be signed as " + escape(note.name),
                "--name NAME, without spaces and plus signs");
  }
  TWINCHAIN_TRY(print(note.text() + "\n"));
  return ExitCode::success;
}

Result<ExitCode> rotate(const Options& options) {
  const auto may_rotate = [&](const chain::PublicKeyFile::Epoch& epoch) -> Status {
    for (const std::string& folder : options.states) {
      auto state = chain::ChainState::look(real_fs(), folder);
      if (!state) return pass(state);
      auto status = chain::check_rotation(**state, epoch);
      if (!status && !options.force) return status;
      if (!status) cli::warn(status.error().message);
    }
    return {};
  };
  auto rotation = chain::rotate_key_files(real_fs(), options.key, may_rotate);
  if (!rotation) return pass(rotation);
  const chain::PublicKeyFile::Epoch& now = rotation->public_key.epochs.back();
  if (rotation->finished_interrupted) {
    cli::note("finished the rotation to epoch " + decimal(std::uint64_t{now.number}) +
              " that had been interrupted, and began no other");
  }
  cli::detail("epoch " + decimal(std::uint64_t{now.number}) + ", key id " +
              to_hex(chain::key_id(now.key)));
  return ExitCode::success;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App* new_command = nullptr;
  CLI::App* show_command = nullptr;
  CLI::App* public_command = nullptr;
  CLI::App* note_command = nullptr;
  const auto add_key = [&options](CLI::App& command, const char* name, const char* text) {
    command.add_option(name, options.key, text)->required();
  };
  const auto define = [&](CLI::App& app) {
    new_command = app.add_subcommand("new", "Make NAME.key (secret, 0600) and NAME.pub");
    add_key(*new_command, "NAME", "Path of the two files, without their endings");
    new_command->add_option("--name", options.signer_name,
                            "Who signs, for reports (default: the last part of NAME)");
    show_command = app.add_subcommand("show", "Show the public part of a key");
    add_key(*show_command, "KEY", "NAME, or a key file of either kind");
    public_command =
        app.add_subcommand("public", "Print the public key file that belongs to a secret key");
    add_key(*public_command, "KEY", "NAME or NAME.key");
    note_command = app.add_subcommand("note", "Print the key as a verifier key of signed notes");
    add_key(*note_command, "KEY", "NAME, or a key file of either kind");
    note_command->add_option("--name", options.signer_name,
                             "Name that the notes are signed with (default: that of the key)");
    note_command->add_flag("--witness", options.witness, "The key of a witness, who cosigns");
    CLI::App* rotate_command =
        app.add_subcommand("rotate", "Change to the next key and erase the present one");
    add_key(*rotate_command, "KEY", "NAME or NAME.key");
    rotate_command
        ->add_option("--state", options.states,
                     "Folder of hashchain's state: refuse unless all chains there have a "
                     "link by the present key")
        ->allow_extra_args(false);
    rotate_command->add_flag("--force", options.force,
                             "Rotate although that cuts a chain in --state off");
  };
  const auto body = [&]() -> Result<ExitCode> {
    if (new_command->parsed()) return make_new(options);
    if (show_command->parsed()) return show(options);
    if (public_command->parsed()) return print_public(options);
    if (note_command->parsed()) return print_note_key(options);
    return rotate(options);
  };
  return cli::run_tool(argc, argv,
                       {"twin-key", "Make, show and rotate the keys that sign a hash chain",
                        "twin-key new node\ntwin-key rotate node --state /var/lib/twin"},
                       define, body);
}
