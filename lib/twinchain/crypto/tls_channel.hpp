// TLS 1.3 between two Ed25519 keys, without sockets: bytes in, bytes out. Floor 1.
//
// Both sides show a self-signed certificate of their key and prove that they hold it. No authority,
// name or date counts: the key is who the other is, and the caller decides whether it is the right
// one. The protocol's name (ALPN "twinchain/1") must agree, so that a web server that is connected
// to by mistake is noticed. No resumption, no early data: each link has secrets of its own.
//
// OpenSSL stays behind this header. It sees two buffers instead of a socket: so the caller decides
// how much is sent and received at a time (a system call for each record of 16 KiB costs more than
// encrypting it), and nothing raises SIGPIPE.
#pragma once

#include <memory>
#include <span>

#include "twinchain/base/result.hpp"
#include "twinchain/crypto/ed25519.hpp"

struct ssl_ctx_st;

namespace twinchain {

/// What a node shows of itself: made once, used by all of its channels. Thread-safe.
class TlsIdentity {
 public:
  /// ExitCode::system when OpenSSL cannot (it is built without Ed25519, or has no memory).
  static Result<TlsIdentity> make(const SecretKey& key);
  [[nodiscard]] const PublicKey& public_key() const { return public_key_; }
  [[nodiscard]] ssl_ctx_st* native() const { return context_.get(); }

 private:
  TlsIdentity() = default;
  std::shared_ptr<ssl_ctx_st> context_;  // holds the secret; OpenSSL wipes it
  PublicKey public_key_{};
};

/// One end of a link. Belongs to one thread at a time. Errors are ExitCode::peer, "tls: WHY", and
/// final; what is in outgoing() should still be sent then, because it tells the other the reason.
class TlsChannel {
 public:
  enum class Side { client, server };
  static Result<std::unique_ptr<TlsChannel>> open(const TlsIdentity& identity, Side side);
  ~TlsChannel();
  TlsChannel(const TlsChannel&) = delete;
  TlsChannel& operator=(const TlsChannel&) = delete;

  // Towards the network.
  /// Where received bytes go; empty while enough of them wait to be read.
  std::span<std::uint8_t> space();
  void received(std::size_t size_bytes);
  /// The network has ended; what came before it can still be read.
  void received_end();
  [[nodiscard]] ByteView outgoing() const;
  void sent(std::size_t size_bytes);

  // Towards the caller.
  /// Goes on as far as what came allows. A client is established before the server has judged it.
  Status handshake();
  [[nodiscard]] bool established() const { return established_; }
  /// 0: more must come first (or, rarely, outgoing() be sent), or ended().
  Result<std::size_t> read(std::span<std::uint8_t> into);
  /// The other sends no more. Whether it was cut off in the middle, what is carried must tell.
  [[nodiscard]] bool ended() const { return ended_; }
  /// Encrypts as much as fits in outgoing(), whole records but for the last; gives how much.
  Result<std::size_t> write(ByteView bytes);
  /// Says that no more is sent.
  void close();

  /// Of an established channel: the other's key, proven.
  [[nodiscard]] const PublicKey& peer_key() const { return peer_key_; }
  /// Of an established channel: 32 bytes that only both ends know (label
  /// "EXPORTER-twinchain-link", RFC 8446 section 7.5).
  Result<Hash256> link_secret() const;
  /// Gives memory back that an idle channel does not need.
  void release_idle();

 private:
  struct Parts;
  TlsChannel();
  Status check_peer();
  std::unexpected<Error> failed(int result);

  std::unique_ptr<Parts> parts_;
  PublicKey peer_key_{};
  bool established_ = false;
  bool ended_ = false;
  bool broken_ = false;
};

}  // namespace twinchain
