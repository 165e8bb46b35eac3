#include "twinchain/crypto/tls_channel.hpp"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <string_view>

#include "twinchain/base/hex.hpp"
#include "twinchain/base/text.hpp"
#include "twinchain/crypto/sha256.hpp"

namespace twinchain {
namespace {

/// Received and not yet decrypted. Enough for some records, so that one system call brings them.
constexpr std::size_t incoming_bytes = std::size_t{64} << 10;
/// write() takes no more while so much waits to be sent.
constexpr std::size_t outgoing_full_bytes = std::size_t{256} << 10;
/// What OpenSSL itself wants to say (answers to key updates) beyond that. An end that asks and does
/// not read the answers is held here.
constexpr std::size_t outgoing_limit_bytes = outgoing_full_bytes + (std::size_t{64} << 10);
constexpr std::size_t record_bytes = std::size_t{16} << 10;
/// A certificate of ours has about 300 bytes.
constexpr long max_certificate_bytes = 4096;
constexpr std::string_view protocol_name = "\x0btwinchain/1";
constexpr std::string_view exporter_label = "EXPORTER-twinchain-link";

template <auto Free>
struct TlsFreeing {
  void operator()(auto* object) const { Free(object); }
};
using TlsKey = std::unique_ptr<EVP_PKEY, TlsFreeing<EVP_PKEY_free>>;
using TlsCertificate = std::unique_ptr<X509, TlsFreeing<X509_free>>;
using TlsSession = std::unique_ptr<SSL, TlsFreeing<SSL_free>>;

/// What OpenSSL said first; the queue is empty then.
std::string tls_reason() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* const reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "unknown reason" : reason;
}
std::unexpected<Error> tls_setup_failed() {
  return fail(ExitCode::system, "tls: cannot set up: " + tls_reason());
}

/// Self-signed, for all times: a node may run where nobody has set the clock.
TlsCertificate make_certificate(EVP_PKEY* key, const PublicKey& public_key) {
  TlsCertificate certificate(X509_new());
  if (!certificate) return nullptr;
  X509* const raw = certificate.get();
  X509_NAME* const name = X509_get_subject_name(raw);
  const std::string text = to_hex(public_key);
  constexpr long version_3 = 2;
  const bool made = X509_set_version(raw, version_3) == 1 &&
                    ASN1_INTEGER_set(X509_get_serialNumber(raw), 1) == 1 &&
                    ASN1_TIME_set_string(X509_getm_notBefore(raw), "19700101000000Z") == 1 &&
                    ASN1_TIME_set_string(X509_getm_notAfter(raw), "99991231235959Z") == 1 &&
                    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                               reinterpret_cast<const unsigned char*>(text.data()),
                                               static_cast<int>(text.size()), -1, 0) == 1 &&
                    X509_set_issuer_name(raw, name) == 1 && X509_set_pubkey(raw, key) == 1 &&
                    X509_sign(raw, key, nullptr) > 0;
  return made ? std::move(certificate) : nullptr;
}

/// Any certificate of an Ed25519 key that is signed with that key.
int judge_certificate(X509_STORE_CTX* store, void* /*unused*/) {
  X509* const certificate = X509_STORE_CTX_get0_cert(store);
  EVP_PKEY* const key = certificate == nullptr ? nullptr : X509_get0_pubkey(certificate);
  const bool good = key != nullptr && EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 &&
                    X509_verify(certificate, key) == 1;
  ERR_clear_error();
  X509_STORE_CTX_set_error(store, good ? X509_V_OK : X509_V_ERR_CERT_SIGNATURE_FAILURE);
  return good ? 1 : 0;
}

int choose_protocol(SSL* /*unused*/, const unsigned char** chosen, unsigned char* chosen_size,
                    const unsigned char* offered, unsigned int offered_size, void* /*unused*/) {
  const auto* const ours = reinterpret_cast<const unsigned char*>(protocol_name.data());
  unsigned char* found = nullptr;
  if (SSL_select_next_proto(&found, chosen_size, ours,
                            static_cast<unsigned int>(protocol_name.size()), offered,
                            offered_size) != OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

bool set_up(SSL_CTX* context, EVP_PKEY* key, X509* certificate) {
  SSL_CTX_set_cert_verify_callback(context, judge_certificate, nullptr);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_cert_list(context, max_certificate_bytes);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  // SSL_CTX_set_alpn_protos gives 0 for success.
  return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
         SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1 &&
         SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256") ==
             1 &&
         SSL_CTX_set1_sigalgs_list(context, "ed25519") == 1 &&
         SSL_CTX_set1_groups_list(context, "X25519") == 1 &&
         SSL_CTX_set_num_tickets(context, 0) == 1 && SSL_CTX_set_max_early_data(context, 0) == 1 &&
         SSL_CTX_set_alpn_protos(context,
                                 reinterpret_cast<const unsigned char*>(protocol_name.data()),
                                 static_cast<unsigned int>(protocol_name.size())) == 0 &&
         SSL_CTX_use_certificate(context, certificate) == 1 &&
         SSL_CTX_use_PrivateKey(context, key) == 1;
}

}  // namespace

Result<TlsIdentity> TlsIdentity::make(const SecretKey& key) {
  ERR_clear_error();
  TlsIdentity identity;
  identity.public_key_ = key.public_key();
  const ByteView seed = key.seed();
  const TlsKey native_key(
      EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size()));
  if (!native_key) return tls_setup_failed();
  const TlsCertificate certificate = make_certificate(native_key.get(), identity.public_key_);
  if (!certificate) return tls_setup_failed();
  identity.context_ = {SSL_CTX_new(TLS_method()), TlsFreeing<SSL_CTX_free>()};
  if (!identity.context_ || !set_up(identity.context_.get(), native_key.get(), certificate.get())) {
    return tls_setup_failed();
  }
  return identity;
}

/// The two buffers, and the session that sees them as its BIO.
struct TlsChannel::Parts {
  std::unique_ptr<std::uint8_t[]> incoming;  // incoming_bytes of them, or none
  std::size_t incoming_begin = 0;
  std::size_t incoming_end = 0;
  bool network_ended = false;
  Bytes outgoing;
  std::size_t outgoing_begin = 0;
  TlsSession session;  // last: it refers to the others

  [[nodiscard]] std::size_t waiting_bytes() const { return outgoing.size() - outgoing_begin; }

  static int bio_read(BIO* bio, char* into, std::size_t size, std::size_t* done) {
    auto& parts = *static_cast<Parts*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    *done = std::min(size, parts.incoming_end - parts.incoming_begin);
    if (*done == 0) {
      if (!parts.network_ended) BIO_set_retry_read(bio);
      return 0;
    }
    std::memcpy(into, parts.incoming.get() + parts.incoming_begin, *done);
    parts.incoming_begin += *done;
    return 1;
  }
  static int bio_write(BIO* bio, const char* from, std::size_t size, std::size_t* done) {
    auto& parts = *static_cast<Parts*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    *done = 0;
    if (parts.waiting_bytes() + size > outgoing_limit_bytes) {
      BIO_set_retry_write(bio);
      return 0;
    }
    append(parts.outgoing, as_bytes(std::string_view(from, size)));
    *done = size;
    return 1;
  }
  static long bio_control(BIO* /*unused*/, int command, long /*unused*/, void* /*unused*/) {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
  }
  static BIO_METHOD* bio_method() {
    static BIO_METHOD* const method = [] {
      BIO_METHOD* const made =
          BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "twinchain buffers");
      if (made != nullptr) {
        BIO_meth_set_read_ex(made, bio_read);
        BIO_meth_set_write_ex(made, bio_write);
        BIO_meth_set_ctrl(made, bio_control);
      }
      return made;
    }();
    return method;
  }
};

TlsChannel::TlsChannel() : parts_(std::make_unique<Parts>()) {}
TlsChannel::~TlsChannel() = default;

Result<std::unique_ptr<TlsChannel>> TlsChannel::open(const TlsIdentity& identity, Side side) {
  ERR_clear_error();
  std::unique_ptr<TlsChannel> channel(new TlsChannel);
  Parts& parts = *channel->parts_;
  parts.session.reset(SSL_new(identity.native()));
  BIO_METHOD* const method = Parts::bio_method();
  BIO* const bio = method == nullptr ? nullptr : BIO_new(method);
  if (!parts.session || bio == nullptr) {
    BIO_free(bio);
    return tls_setup_failed();
  }
  BIO_set_data(bio, &parts);
  BIO_set_init(bio, 1);
  SSL_set_bio(parts.session.get(), bio, bio);  // owned by the session now
  if (side == Side::client) {
    SSL_set_connect_state(parts.session.get());
  } else {
    SSL_set_accept_state(parts.session.get());
  }
  return channel;
}

std::span<std::uint8_t> TlsChannel::space() {
  Parts& parts = *parts_;
  if (!parts.incoming) {
    parts.incoming = std::make_unique_for_overwrite<std::uint8_t[]>(incoming_bytes);
  }
  if (parts.incoming_begin == parts.incoming_end) parts.incoming_begin = parts.incoming_end = 0;
  if (parts.incoming_end == incoming_bytes && parts.incoming_begin > 0) {
    std::memmove(parts.incoming.get(), parts.incoming.get() + parts.incoming_begin,
                 parts.incoming_end - parts.incoming_begin);
    parts.incoming_end -= parts.incoming_begin;
    parts.incoming_begin = 0;
  }
  return {parts.incoming.get() + parts.incoming_end, incoming_bytes - parts.incoming_end};
}

void TlsChannel::received(std::size_t size_bytes) {
  parts_->incoming_end += std::min(size_bytes, incoming_bytes - parts_->incoming_end);
}

void TlsChannel::received_end() {
  parts_->network_ended = true;
}

ByteView TlsChannel::outgoing() const {
  return ByteView(parts_->outgoing).subspan(parts_->outgoing_begin);
}

void TlsChannel::sent(std::size_t size_bytes) {
  Parts& parts = *parts_;
  parts.outgoing_begin += std::min(size_bytes, parts.waiting_bytes());
  // A network that takes a part each time would let what was sent pile up.
  if (parts.waiting_bytes() > 0 && parts.outgoing_begin < outgoing_full_bytes / 2) return;
  const auto begin = parts.outgoing.begin();
  parts.outgoing.erase(begin, begin + static_cast<std::ptrdiff_t>(parts.outgoing_begin));
  parts.outgoing_begin = 0;
}

std::unexpected<Error> TlsChannel::failed(int result) {
  broken_ = true;
  const int kind = SSL_get_error(parts_->session.get(), result);
  if (kind == SSL_ERROR_ZERO_RETURN ||
      (parts_->network_ended && parts_->incoming_begin == parts_->incoming_end)) {
    ERR_clear_error();
    return fail(ExitCode::peer, "tls: the other side ended the link");
  }
  return fail(ExitCode::peer, "tls: " + tls_reason());
}

Status TlsChannel::handshake() {
  if (established_) return {};
  if (broken_) return fail(ExitCode::peer, "tls: broken before");
  ERR_clear_error();
  const int result = SSL_do_handshake(parts_->session.get());
  if (result == 1) return check_peer();
  const int kind = SSL_get_error(parts_->session.get(), result);
  if (kind == SSL_ERROR_WANT_WRITE) return {};
  if (kind == SSL_ERROR_WANT_READ) return {};
  return failed(result);
}

Status TlsChannel::check_peer() {
  const SSL* const session = parts_->session.get();
  const unsigned char* chosen = nullptr;
  unsigned int chosen_size = 0;
  SSL_get0_alpn_selected(session, &chosen, &chosen_size);
  // A side that knows nothing of ALPN is not asked by OpenSSL.
  if (chosen == nullptr || std::string_view(reinterpret_cast<const char*>(chosen), chosen_size) !=
                               protocol_name.substr(1)) {
    broken_ = true;
    return fail(ExitCode::peer, "tls: the other side does not speak twinchain/1");
  }
  const TlsCertificate certificate(SSL_get1_peer_certificate(session));
  EVP_PKEY* const key = certificate ? X509_get0_pubkey(certificate.get()) : nullptr;
  std::size_t size = peer_key_.size();
  if (key == nullptr || EVP_PKEY_get_base_id(key) != EVP_PKEY_ED25519 ||
      EVP_PKEY_get_raw_public_key(key, peer_key_.data(), &size) != 1 || size != peer_key_.size()) {
    broken_ = true;
    return fail(ExitCode::peer, "tls: the other side shows no Ed25519 key");
  }
  established_ = true;
  return {};
}

Result<std::size_t> TlsChannel::read(std::span<std::uint8_t> into) {
  if (broken_) return fail(ExitCode::peer, "tls: broken before");
  if (ended_ || !established_ || into.empty()) return std::size_t{0};
  ERR_clear_error();
  std::size_t done = 0;
  const int result = SSL_read_ex(parts_->session.get(), into.data(), into.size(), &done);
  if (result == 1) return done;
  switch (SSL_get_error(parts_->session.get(), result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return std::size_t{0};
    case SSL_ERROR_ZERO_RETURN:
      ended_ = true;
      return std::size_t{0};
    default:
      break;
  }
  if (parts_->network_ended && parts_->incoming_begin == parts_->incoming_end) {
    ERR_clear_error();
    ended_ = true;
    return std::size_t{0};
  }
  return failed(result);
}

Result<std::size_t> TlsChannel::write(ByteView bytes) {
  if (broken_) return fail(ExitCode::peer, "tls: broken before");
  std::size_t taken = 0;
  Parts& parts = *parts_;
  if (!established_) return taken;
  ERR_clear_error();
  while (taken < bytes.size() && parts.waiting_bytes() < outgoing_full_bytes) {
    // So much at a time that the buffer never is too full for the record: OpenSSL wants to see the
    // same bytes again after a write that failed, which is not to be asked of the caller.
    const std::size_t piece = std::min(bytes.size() - taken, record_bytes);
    std::size_t done = 0;
    const int result = SSL_write_ex(parts.session.get(), bytes.data() + taken, piece, &done);
    if (result != 1) {
      const int kind = SSL_get_error(parts.session.get(), result);
      if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) break;
      return failed(result);
    }
    taken += done;
  }
  return taken;
}

void TlsChannel::close() {
  if (broken_ || !established_) return;
  ERR_clear_error();
  (void)SSL_shutdown(parts_->session.get());
  ERR_clear_error();
}

Result<Hash256> TlsChannel::link_secret() const {
  Hash256 secret{};
  ERR_clear_error();
  if (!established_ || SSL_export_keying_material(parts_->session.get(), secret.data(),
                                                  secret.size(), exporter_label.data(),
                                                  exporter_label.size(), nullptr, 0, 0) != 1) {
    return fail(ExitCode::peer, "tls: no link secret: " + tls_reason());
  }
  return secret;
}

void TlsChannel::release_idle() {
  Parts& parts = *parts_;
  if (parts.incoming_begin == parts.incoming_end) {
    parts.incoming.reset();
    parts.incoming_begin = parts.incoming_end = 0;
  }
  if (parts.waiting_bytes() == 0 && parts.outgoing.capacity() > 0) {
    parts.outgoing = Bytes();
    parts.outgoing_begin = 0;
  }
}

}  // namespace twinchain
