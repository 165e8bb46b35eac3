#include "twinchain/net/storage_node.hpp"

#include <algorithm>
#include <set>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/json_writer.hpp"
#include "twinchain/base/text.hpp"

namespace twinchain::net {
namespace {

/// What a storage node understands; anything else is for other roles and left unread.
bool concerns_storage_node(std::uint16_t type) {
  static const std::set<std::uint16_t> types{
      message_type(Hello{}),      message_type(Ping{}),          message_type(GetPeers{}),
      message_type(GetHeaders{}), message_type(GetParameters{}), message_type(GetStatus{}),
      message_type(GetBlock{}),   message_type(BlockPart{})};
  return types.contains(type);
}

}  // namespace

StorageNode::StorageNode(const StorageNodeOptions& options, const ChainParameters& parameters,
                         NodeHost& host, Clock& clock, StoredBlocks& blocks, WorkPool& workers)
    : options_(options),
      parameters_(parameters),
      host_(host),
      clock_(clock),
      blocks_(blocks),
      workers_(workers),
      easiest_target_(parameters.easiest_target()),
      parameters_text_(format_parameters(parameters)),
      genesis_(genesis_hash(parameters)) {}

std::int64_t StorageNode::now_ms() const {
  return static_cast<std::int64_t>(clock_.monotonic_ns() / 1'000'000);
}

void StorageNode::send(PeerId peer, const Message& message) {
  host_.send(peer, std::make_shared<const Bytes>(encode_message(parameters_.magic, message)));
}

void StorageNode::misbehaved(PeerId peer, const std::string& reason) {
  ++figures_.dropped_liars;
  host_.disconnect(peer, reason, true);
}

void StorageNode::connected(PeerId peer, const LinkInfo& link) {
  Client& client = clients_[peer];
  client.link = link;
  client.connected_ms = now_ms();
  // It follows no chain, so it has no tip but the block that all have.
  Hello hello;
  hello.role = NodeRole::storage;
  hello.listen_port = options_.listen_port;
  hello.genesis = genesis_;
  hello.tip = genesis_;
  hello.agent = options_.agent;
  send(peer, hello);
}

void StorageNode::disconnected(PeerId peer) {
  const auto found = clients_.find(peer);
  if (found == clients_.end()) return;
  end_upload(found->second);
  ended_serving(found->second);
  clients_.erase(found);
  std::erase(queue_, peer);
}

Status StorageNode::received(PeerId peer, std::uint16_t type, ByteView body) {
  const auto found = clients_.find(peer);
  if (found == clients_.end()) return {};
  Client& client = found->second;
  if (!client.greeted && type != message_type(Hello{})) {
    misbehaved(peer, "does not begin with hello");
    return {};
  }
  if (!concerns_storage_node(type)) return {};
  auto message = parse_message(type, body);
  if (!message) {
    misbehaved(peer, message.error().message);
    return {};
  }
  return dispatch(peer, client, std::move(*message));
}

void StorageNode::greet(PeerId peer, Client& client, const Hello& hello) {
  if (client.greeted) {
    misbehaved(peer, "says hello twice");
    return;
  }
  const bool stranger = hello.genesis == Hash256{} && hello.role == NodeRole::user;
  if (!stranger && hello.genesis != genesis_) {
    host_.disconnect(peer, "is of another network", false);
  } else if (hello.version != wire_version) {
    host_.disconnect(peer, "speaks version " + std::to_string(hello.version), false);
  } else {
    client.greeted = true;
  }
}

Status StorageNode::dispatch(PeerId peer, Client& client, Message&& message) {
  if (const auto* hello = std::get_if<Hello>(&message)) {
    greet(peer, client, *hello);
  } else if (const auto* ping = std::get_if<Ping>(&message)) {
    send(peer, Pong{ping->nonce});
  } else if (std::holds_alternative<GetPeers>(message)) {
    send(peer, Peers{});
  } else if (std::holds_alternative<GetHeaders>(message)) {
    send(peer, Headers{});
  } else if (std::holds_alternative<GetParameters>(message)) {
    send(peer, ParametersText{parameters_text_});
  } else if (std::holds_alternative<GetStatus>(message)) {
    send(peer, StatusText{status_json()});
  } else if (const auto* get = std::get_if<GetBlock>(&message)) {
    if (client.wanted.size() >= options_.max_wanted) {
      host_.disconnect(peer, "asks for more blocks than it takes", false);
      return {};
    }
    client.wanted.push_back(get->block);
    if (!client.serving && client.wanted.size() == 1) queue_.push_back(peer);
  } else if (auto* part = std::get_if<BlockPart>(&message)) {
    return take(peer, client, std::move(*part));
  }
  return {};
}

void StorageNode::refuse(PeerId peer, Client& client, const Hash256& block) {
  ++figures_.refused_blocks;
  client.left = block;
  send(peer, NoBlock{block});
}

void StorageNode::end_upload(Client& client) {
  if (!client.upload) return;
  --uploads_;
  upload_bytes_ -= client.upload->announced_bytes;
  client.upload.reset();
}

/// The first part of a block. False when further parts of it are not for us.
bool StorageNode::begin_upload(PeerId peer, Client& client, const BlockPart& part) {
  client.left.reset();
  if (blocks_.contains(part.block)) {
    ++figures_.known_blocks;
    client.left = part.block;
    send(peer, BlockStored{part.block});
    return false;
  }
  const auto& allowed = options_.allowed;
  if (!allowed.empty() && std::ranges::find(allowed, client.link.node_key) == allowed.end()) {
    refuse(peer, client, part.block);
    return false;
  }
  ByteCursor cursor(part.bytes);
  const bitcoin::BlockHeader header = bitcoin::read_header(cursor);
  if (!cursor.ok() || part.size_bytes > parameters_.block_limit_bytes) {
    misbehaved(peer, "a block of no block's size");
    return false;
  }
  if (bitcoin::block_hash(header) != part.block) {
    misbehaved(peer, "another block's header");
    return false;
  }
  if (!bitcoin::meets_target(part.block, header.bits, easiest_target_)) {
    misbehaved(peer, "a block without proof of work");
    return false;
  }
  const bool fits = uploads_ < options_.max_uploads &&
                    upload_bytes_ + part.size_bytes <= options_.max_upload_bytes;
  if (uploads_ > 0 && !fits) {
    refuse(peer, client, part.block);
    return false;
  }
  client.upload = Upload{BlockParts(part.block, part.size_bytes), part.size_bytes, 0};
  ++uploads_;
  upload_bytes_ += part.size_bytes;
  return true;
}

Status StorageNode::take(PeerId peer, Client& client, BlockPart&& part) {
  if (part.offset == 0) {
    // A sender that begins another block has given the one before up.
    end_upload(client);
    if (!begin_upload(peer, client, part)) return {};
  } else if (!client.upload || client.upload->parts.block() != part.block) {
    if (client.left != part.block) misbehaved(peer, "a part of a block without its beginning");
    return {};
  }
  Upload& upload = *client.upload;
  const auto taken = upload.parts.take(part);
  if (taken == BlockParts::Taken::misfit) {
    end_upload(client);
    misbehaved(peer, "parts of a block that do not fit");
    return {};
  }
  upload.until_ms = now_ms() + options_.upload_timeout_ms;
  return taken == BlockParts::Taken::whole ? complete(peer, client) : Status();
}

Status StorageNode::complete(PeerId peer, Client& client) {
  const BlockParts parts = std::move(client.upload->parts);
  end_upload(client);
  client.left = parts.block();
  if (!blocks_.contains(parts.block())) {
    NetBlock block;
    Verdict verdict = parts.read(parameters_, workers_, block);
    std::optional<std::uint32_t> height;
    if (verdict.accepted() && !block.transactions.empty()) {
      height = bitcoin::coinbase_height(block.transactions[0]->tx);
    }
    if (verdict.accepted() && !height) verdict = Verdict::mismatched("bad-cb-height");
    if (verdict.accepted()) verdict = check_block_body(parameters_, block, *height);
    if (!verdict.accepted()) {
      misbehaved(peer, "block: " + verdict.reason);
      return {};
    }
    auto added = blocks_.add(*height, block.header, parts.bytes());
    if (!added) return pass(added);
    if (!*added) {
      refuse(peer, client, parts.block());
      return {};
    }
    ++figures_.stored_blocks;
    figures_.stored_bytes += parts.size_bytes();
  } else {
    ++figures_.known_blocks;
  }
  send(peer, BlockStored{parts.block()});
  return {};
}

void StorageNode::ended_serving(Client& client) {
  if (!client.serving) return;
  --serving_;
  client.serving.reset();
}

/// True, and dropped, when it has taken nothing of its queue for long.
bool StorageNode::has_stalled(PeerId peer, Client& client) {
  const std::uint64_t queued = host_.queued_bytes(peer);
  if (queued == 0 || queued != client.queued_bytes) {
    client.queued_bytes = queued;
    client.progress_ms = now_ms();
  }
  if (now_ms() < client.progress_ms + options_.serve_timeout_ms) return false;
  host_.disconnect(peer, "does not take the block that it asked for", false);
  return true;
}

/// Sends parts while its queue has room. Two blocks of one peer are served one after the other, and
/// who waits has its turn in between.
Status StorageNode::serve(PeerId peer, Client& client) {
  if (has_stalled(peer, client)) return {};
  while (client.serving && host_.queued_bytes(peer) < options_.max_queued_bytes) {
    Serving& serving = *client.serving;
    const std::uint64_t begin = std::uint64_t{serving.next_part} * block_frame_part_bytes;
    auto read = blocks_.part(serving.place, serving.next_part);
    if (!read) return pass(read);
    if (!*read) {
      send(peer, NoBlock{serving.place.block});
      ended_serving(client);
      break;
    }
    const ByteView bytes = **read;
    static_assert(block_frame_part_bytes % block_part_bytes == 0);
    for (std::size_t at = 0; at < bytes.size(); at += block_part_bytes) {
      const ByteView piece = bytes.subspan(at, std::min(block_part_bytes, bytes.size() - at));
      send(peer, BlockPart{serving.place.block,
                           serving.place.size_bytes,
                           begin + at,
                           {piece.begin(), piece.end()}});
    }
    figures_.served_bytes += bytes.size();
    client.queued_bytes = host_.queued_bytes(peer);
    if (++serving.next_part < serving.place.ordinals.size()) continue;
    ++figures_.served_blocks;
    ended_serving(client);
  }
  if (!client.serving && !client.wanted.empty()) queue_.push_back(peer);
  return {};
}

Status StorageNode::serve_all() {
  if (serving_ > 0) {
    for (auto& [peer, client] : clients_) {
      if (client.serving) TWINCHAIN_TRY(serve(peer, client));
    }
  }
  // Each of those who wait has one turn: a flood of questions is answered over several calls.
  for (std::size_t turns = queue_.size(); turns > 0 && serving_ < options_.max_served; --turns) {
    const PeerId peer = queue_.front();
    queue_.pop_front();
    Client& client = clients_.at(peer);
    const Hash256 block = client.wanted.front();
    client.wanted.pop_front();
    auto place = blocks_.find(block);
    if (!place) return pass(place);
    if (!*place) {
      send(peer, NoBlock{block});
      if (!client.wanted.empty()) queue_.push_back(peer);
      continue;
    }
    client.serving = Serving{std::move(**place), 0};
    ++serving_;
    client.queued_bytes = host_.queued_bytes(peer);
    client.progress_ms = now_ms();
    TWINCHAIN_TRY(serve(peer, client));
  }
  return {};
}

Status StorageNode::flush() {
  return serve_all();
}

Status StorageNode::tick() {
  const std::int64_t now = now_ms();
  for (auto& [peer, client] : clients_) {
    if (!client.greeted && now >= client.connected_ms + options_.hello_timeout_ms) {
      host_.disconnect(peer, "does not say hello", false);
    }
    if (client.upload && now >= client.upload->until_ms) {
      const Hash256 block = client.upload->parts.block();
      end_upload(client);
      refuse(peer, client, block);
    }
  }
  TWINCHAIN_TRY(serve_all());
  return blocks_.commit_index();
}

std::string StorageNode::status_json() const {
  JsonWriter json;
  json.begin_object().member("version", 1).member("role", "storage");
  json.member("agent", std::string_view(options_.agent));
  json.member("network", std::string_view(parameters_.name));
  json.member("genesis", std::string_view(to_hex_reversed(genesis_)));
  json.member("peers", std::uint64_t{clients_.size()});
  json.member("blocks", std::uint64_t{blocks_.count()});
  json.member("size_bytes", blocks_.size_bytes());
  json.member("stored_blocks", figures_.stored_blocks);
  json.member("known_blocks", figures_.known_blocks);
  json.member("refused_blocks", figures_.refused_blocks);
  json.member("served_blocks", figures_.served_blocks);
  json.member("dropped_liars", figures_.dropped_liars).end_object();
  return json.text();
}

std::string StorageNode::metrics() const {
  std::string text;
  const auto add = [&text](std::string_view name, std::string_view kind, std::string_view help,
                           std::uint64_t value) {
    std::string full = "twinchain_storage_";
    full += name;
    text += "# HELP " + full + " ";
    text += help;
    text += "\n# TYPE " + full + " ";
    text += kind;
    text += "\n" + full + " " + decimal(value) + "\n";
  };
  add("peers", "gauge", "Links.", clients_.size());
  add("blocks", "gauge", "Blocks in the store.", blocks_.count());
  add("size_bytes", "gauge", "Bytes of these blocks.", blocks_.size_bytes());
  add("uploads", "gauge", "Blocks that are coming in.", uploads_);
  add("stored_blocks_total", "counter", "Blocks made durable.", figures_.stored_blocks);
  add("stored_bytes_total", "counter", "Bytes of these.", figures_.stored_bytes);
  add("known_blocks_total", "counter", "Blocks pushed that were here already.",
      figures_.known_blocks);
  add("refused_blocks_total", "counter", "Blocks for which there was no room or no permission.",
      figures_.refused_blocks);
  add("served_blocks_total", "counter", "Blocks given back.", figures_.served_blocks);
  add("served_bytes_total", "counter", "Bytes of these.", figures_.served_bytes);
  add("dropped_liars_total", "counter", "Peers dropped for what they sent.",
      figures_.dropped_liars);
  return text;
}

}  // namespace twinchain::net
