#include "twinchain/crypto/tls_channel.hpp"

#include <doctest/doctest.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>

using namespace twinchain;

namespace {

using Side = TlsChannel::Side;

TlsIdentity identity_of(std::uint8_t number) {
  std::array<std::uint8_t, 32> seed{};
  seed[0] = number;
  auto identity = TlsIdentity::make(SecretKey::from_seed(seed));
  REQUIRE(identity);
  return *identity;
}

std::unique_ptr<TlsChannel> channel_of(const TlsIdentity& identity, Side side) {
  auto channel = TlsChannel::open(identity, side);
  REQUIRE(channel);
  return std::move(*channel);
}

/// Carries at most `step` bytes at a time; gives whether there were any.
bool carry(TlsChannel& from, TlsChannel& to, std::size_t step = 1 << 20) {
  const ByteView bytes = from.outgoing();
  const auto space = to.space();
  const std::size_t size = std::min({bytes.size(), space.size(), step});
  std::copy_n(bytes.begin(), size, space.begin());
  to.received(size);
  from.sent(size);
  return size > 0;
}

struct Pair {
  TlsIdentity client_identity = identity_of(1);
  TlsIdentity server_identity = identity_of(2);
  std::unique_ptr<TlsChannel> client = channel_of(client_identity, Side::client);
  std::unique_ptr<TlsChannel> server = channel_of(server_identity, Side::server);

  void shake_hands(std::size_t step = 1 << 20) {
    bool moved = true;
    while (moved) {
      REQUIRE(client->handshake());
      moved = carry(*client, *server, step);
      REQUIRE(server->handshake());
      moved = carry(*server, *client, step) || moved;
    }
    REQUIRE(client->established());
    REQUIRE(server->established());
  }
};

Bytes numbered_bytes(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::uint8_t>(i * 7 + i / 256);
  return bytes;
}

/// Another end, made with OpenSSL directly, that does what ours never does.
struct Stranger {
  using Change = std::function<void(SSL_CTX*)>;
  Stranger(Side side, const Change& change) {
    context = SSL_CTX_new(TLS_method());
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
    change(context);
    session = SSL_new(context);
    SSL_set_bio(session, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    if (side == Side::client) {
      SSL_set_connect_state(session);
    } else {
      SSL_set_accept_state(session);
    }
  }
  Stranger(const Stranger&) = delete;
  Stranger& operator=(const Stranger&) = delete;
  ~Stranger() {
    SSL_free(session);
    SSL_CTX_free(context);
  }
  bool give_to(TlsChannel& other) {
    const auto space = other.space();
    const int size = BIO_read(SSL_get_wbio(session), space.data(), static_cast<int>(space.size()));
    other.received(static_cast<std::size_t>(std::max(size, 0)));
    return size > 0;
  }
  bool take_from(TlsChannel& other) {
    const ByteView bytes = other.outgoing();
    if (bytes.empty()) return false;
    BIO_write(SSL_get_rbio(session), bytes.data(), static_cast<int>(bytes.size()));
    other.sent(bytes.size());
    return true;
  }
  /// What our end says at the end.
  Status meet(TlsChannel& ours) {
    for (int round = 0; round < 20; ++round) {
      (void)SSL_do_handshake(session);
      bool moved = give_to(ours);
      auto status = ours.handshake();
      if (!status) return status;
      moved = take_from(ours) || moved;
      if (!moved) break;
    }
    return {};
  }

  SSL_CTX* context = nullptr;
  SSL* session = nullptr;
};

void speak_twinchain(SSL_CTX* context) {
  static constexpr unsigned char name[] = "\x0btwinchain/1";
  SSL_CTX_set_alpn_protos(context, name, sizeof name - 1);
}

/// A certificate of `key` that `signer` signs.
void show_certificate(SSL_CTX* context, EVP_PKEY* key, EVP_PKEY* signer, const EVP_MD* digest) {
  X509* const certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  REQUIRE(X509_sign(certificate, signer, digest) > 0);
  REQUIRE(SSL_CTX_use_certificate(context, certificate) == 1);
  REQUIRE(SSL_CTX_use_PrivateKey(context, key) == 1);
  X509_free(certificate);
}

}  // namespace

TEST_CASE("TLS channel: both ends learn the other's key and one secret") {
  Pair first;
  first.shake_hands();
  CHECK(first.client->peer_key() == first.server_identity.public_key());
  CHECK(first.server->peer_key() == first.client_identity.public_key());
  const auto secret = first.client->link_secret();
  REQUIRE(secret);
  CHECK(*secret == *first.server->link_secret());
  CHECK(*secret != Hash256{});

  Pair second;
  second.shake_hands();
  CHECK(*second.client->link_secret() != *secret);
}

TEST_CASE("TLS channel: no secret before the handshake") {
  Pair pair;
  CHECK_FALSE(pair.client->link_secret());
  CHECK(pair.client->write(numbered_bytes(10)) == 0);
  Bytes into(10);
  CHECK(pair.client->read(into) == 0);
}

TEST_CASE("TLS channel: bytes come whole and in order, however they are cut") {
  for (const std::size_t step : {std::size_t{1}, std::size_t{1000}, std::size_t{1} << 20}) {
    CAPTURE(step);
    Pair pair;
    pair.shake_hands(step);
    const Bytes sent = numbered_bytes(step == 1 ? 40'000 : 1'000'000);
    Bytes got(sent.size() + 1);
    std::size_t taken = 0;
    std::size_t read_bytes = 0;
    while (read_bytes < sent.size()) {
      const auto wrote = pair.client->write(ByteView(sent).subspan(taken));
      REQUIRE(wrote);
      taken += *wrote;
      const bool moved = carry(*pair.client, *pair.server, step);
      const auto done = pair.server->read(std::span(got).subspan(read_bytes));
      REQUIRE(done);
      read_bytes += *done;
      REQUIRE((moved || *done > 0));
    }
    got.resize(read_bytes);
    CHECK(got == sent);
  }
}

TEST_CASE("TLS channel: what waits to be sent is bounded, and never doubled") {
  Pair pair;
  pair.shake_hands();
  const Bytes sent = numbered_bytes(2'000'000);
  const auto first = pair.client->write(sent);
  REQUIRE(first);
  CHECK(*first < sent.size());
  CHECK(pair.client->outgoing().size() < (std::size_t{512} << 10));
  CHECK(pair.client->write(ByteView(sent).subspan(*first)) == 0);
  // A network that always leaves something behind.
  std::size_t taken = *first;
  Bytes got;
  Bytes piece(20'000);
  while (got.size() < sent.size()) {
    const auto wrote = pair.client->write(ByteView(sent).subspan(taken));
    REQUIRE(wrote);
    taken += *wrote;
    const std::size_t waiting = pair.client->outgoing().size();
    carry(*pair.client, *pair.server, taken < sent.size() ? waiting - 1 : waiting);
    CHECK(pair.client->outgoing().size() < (std::size_t{512} << 10));
    while (true) {
      const auto done = pair.server->read(piece);
      REQUIRE(done);
      if (*done == 0) break;
      append(got, ByteView(piece).first(*done));
    }
  }
  CHECK(got == sent);
}

TEST_CASE("TLS channel: a flipped bit ends the link") {
  Pair pair;
  pair.shake_hands();
  REQUIRE(pair.client->write(numbered_bytes(100)) == 100);
  const ByteView bytes = pair.client->outgoing();
  const auto space = pair.server->space();
  std::copy(bytes.begin(), bytes.end(), space.begin());
  space[50] ^= 1;
  pair.server->received(bytes.size());
  Bytes into(200);
  const auto done = pair.server->read(into);
  REQUIRE_FALSE(done);
  CHECK(done.error().code == ExitCode::peer);
  CHECK_FALSE(pair.server->read(into));
}

TEST_CASE("TLS channel: the end is told, and an end without a word is one too") {
  Pair pair;
  pair.shake_hands();
  REQUIRE(pair.client->write(numbered_bytes(5)) == 5);
  pair.client->close();
  carry(*pair.client, *pair.server);
  Bytes into(100);
  CHECK(pair.server->read(into) == 5);
  CHECK_FALSE(pair.server->ended());
  CHECK(pair.server->read(into) == 0);
  CHECK(pair.server->ended());

  Pair cut;
  cut.shake_hands();
  REQUIRE(cut.client->write(numbered_bytes(5)) == 5);
  carry(*cut.client, *cut.server);
  cut.server->received_end();
  CHECK(cut.server->read(into) == 5);
  CHECK(cut.server->read(into) == 0);
  CHECK(cut.server->ended());

  Pair early;
  early.server->received_end();
  const auto status = early.server->handshake();
  REQUIRE_FALSE(status);
  CHECK(status.error().message == "tls: the other side ended the link");
}

TEST_CASE("TLS channel: garbage instead of a handshake") {
  for (const Side side : {Side::server, Side::client}) {
    const TlsIdentity identity = identity_of(1);
    const auto channel = channel_of(identity, side);
    (void)channel->handshake();
    const auto space = channel->space();
    const std::string garbage = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    std::copy(garbage.begin(), garbage.end(), space.begin());
    channel->received(garbage.size());
    const auto status = channel->handshake();
    REQUIRE_FALSE(status);
    CHECK(status.error().code == ExitCode::peer);
    CHECK_FALSE(channel->established());
    CHECK_FALSE(channel->handshake());
  }
}

TEST_CASE("TLS channel: strangers are refused") {
  const TlsIdentity identity = identity_of(3);
  EVP_PKEY* const ed25519 = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  EVP_PKEY* const other = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  EVP_PKEY* const ecdsa = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
  REQUIRE((ed25519 != nullptr && other != nullptr && ecdsa != nullptr));
  const auto meets = [&](Side stranger, const Stranger::Change& change) {
    const auto ours = channel_of(identity, stranger == Side::client ? Side::server : Side::client);
    Stranger them(stranger, change);
    const bool good = them.meet(*ours).has_value();
    return good && ours->established();
  };
  // The control: this stranger does all that is asked.
  CHECK(meets(Side::client, [&](SSL_CTX* context) {
    speak_twinchain(context);
    show_certificate(context, ed25519, ed25519, nullptr);
  }));
  // Without a certificate.
  CHECK_FALSE(meets(Side::client, speak_twinchain));
  // Another one signed it.
  CHECK_FALSE(meets(Side::client, [&](SSL_CTX* context) {
    speak_twinchain(context);
    show_certificate(context, ed25519, other, nullptr);
  }));
  // Another kind of key.
  CHECK_FALSE(meets(Side::client, [&](SSL_CTX* context) {
    speak_twinchain(context);
    show_certificate(context, ecdsa, ecdsa, EVP_sha256());
  }));
  // Without the protocol's name, from either side.
  CHECK_FALSE(meets(Side::client, [&](SSL_CTX* context) {
    show_certificate(context, ed25519, ed25519, nullptr);
  }));
  CHECK_FALSE(meets(Side::server, [&](SSL_CTX* context) {
    show_certificate(context, ed25519, ed25519, nullptr);
  }));
  // TLS 1.2.
  CHECK_FALSE(meets(Side::client, [&](SSL_CTX* context) {
    speak_twinchain(context);
    show_certificate(context, ed25519, ed25519, nullptr);
    SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
  }));
  EVP_PKEY_free(ed25519);
  EVP_PKEY_free(other);
  EVP_PKEY_free(ecdsa);
}

TEST_CASE("TLS channel: key updates that are asked for and not read do not fill the memory") {
  const TlsIdentity identity = identity_of(4);
  EVP_PKEY* const key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  const auto ours = channel_of(identity, Side::server);
  Stranger them(Side::client, [&](SSL_CTX* context) {
    speak_twinchain(context);
    show_certificate(context, key, key, nullptr);
  });
  EVP_PKEY_free(key);
  REQUIRE(them.meet(*ours));
  REQUIRE(ours->established());
  Bytes into(100);
  for (int i = 0; i < 50'000; ++i) {
    REQUIRE(SSL_key_update(them.session, SSL_KEY_UPDATE_REQUESTED) == 1);
    REQUIRE(SSL_do_handshake(them.session) == 1);
    if (ours->space().empty()) break;
    them.give_to(*ours);
    if (!ours->read(into)) break;
  }
  CHECK(ours->outgoing().size() < (std::size_t{512} << 10));
}
