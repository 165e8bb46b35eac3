#include "twinchain/crypto/timestamp_token.hpp"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <openssl/ts.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <vector>

#include "twinchain/base/text.hpp"
#include "twinchain/crypto/sha256.hpp"

namespace twinchain {
namespace {

template <auto Free>
struct Freeing {
  void operator()(auto* object) const { Free(object); }
};
using Token = std::unique_ptr<PKCS7, Freeing<PKCS7_free>>;
using Content = std::unique_ptr<TS_TST_INFO, Freeing<TS_TST_INFO_free>>;
using Request = std::unique_ptr<TS_REQ, Freeing<TS_REQ_free>>;
using Response = std::unique_ptr<TS_RESP, Freeing<TS_RESP_free>>;
using Certificate = std::unique_ptr<X509, Freeing<X509_free>>;
using Store = std::unique_ptr<X509_STORE, Freeing<X509_STORE_free>>;
using Integer = std::unique_ptr<ASN1_INTEGER, Freeing<ASN1_INTEGER_free>>;
using Memory = std::unique_ptr<BIO, Freeing<BIO_free>>;

constexpr int max_certificates = 16;
constexpr std::size_t max_pem_certificates = 1000;
/// 112 bits and more would refuse RSA keys of 1024 bits, with which old tokens were signed; this
/// refuses SHA-1 and MD5 in certificates.
constexpr int security_level = 1;
constexpr long accuracy_thousandths = 1000;

std::unexpected<Error> wrong(ExitCode code, const std::string& what) {
  return fail(code, "time-stamp: " + what);
}
std::unexpected<Error> malformed(const std::string& what) {
  return wrong(ExitCode::malformed, what);
}
std::unexpected<Error> refuted(const std::string& what) {
  return wrong(ExitCode::refuted, what);
}

/// What OpenSSL said last, and first, and why; the queue is empty then.
std::string openssl_reason() {
  const char* data = nullptr;
  int flags = 0;
  const unsigned long code = ERR_get_error_all(nullptr, nullptr, nullptr, &data, &flags);
  const char* reason = ERR_reason_error_string(code);
  std::string text = reason == nullptr ? "unknown reason" : reason;
  if ((flags & ERR_TXT_STRING) != 0 && data != nullptr && *data != 0) {
    text += " (" + escape(data) + ")";
  }
  ERR_clear_error();
  return text;
}

template <class Object, auto Encode>
Bytes der(const Object* object) {
  const int size = Encode(object, nullptr);
  if (size <= 0) return {};
  Bytes bytes(static_cast<std::size_t>(size));
  std::uint8_t* at = bytes.data();
  if (Encode(object, &at) != size) return {};
  return bytes;
}

/// The whole of the bytes, or nothing.
template <class Pointer, auto Decode>
Pointer decode(ByteView bytes) {
  const std::uint8_t* at = bytes.data();
  Pointer object(Decode(nullptr, &at, static_cast<long>(bytes.size())));
  ERR_clear_error();
  if (!object || at != bytes.data() + bytes.size()) return nullptr;
  return object;
}

Token decode_token(ByteView bytes) {
  if (bytes.empty() || bytes.size() > max_timestamp_token_bytes) return nullptr;
  Token token = decode<Token, d2i_PKCS7>(bytes);
  if (!token || !PKCS7_type_is_signed(token.get()) || token->d.sign == nullptr) return nullptr;
  return token;
}

/// Takes away what is not signed and not needed.
void strip(PKCS7_SIGNED& signed_data) {
  if (signed_data.cert != nullptr) {
    for (int i = sk_X509_num(signed_data.cert) - 1; i >= 0; --i) {
      X509* const one = sk_X509_value(signed_data.cert, i);
      // Whoever believes it has it. The signer's own stays: a token may be signed by such a one.
      if (X509_self_signed(one, 0) != 1 || sk_X509_num(signed_data.cert) == 1) continue;
      X509_free(sk_X509_delete(signed_data.cert, i));
    }
  }
  sk_X509_CRL_pop_free(signed_data.crl, X509_CRL_free);
  signed_data.crl = nullptr;
  for (int i = 0; i < sk_PKCS7_SIGNER_INFO_num(signed_data.signer_info); ++i) {
    PKCS7_SIGNER_INFO* const signer = sk_PKCS7_SIGNER_INFO_value(signed_data.signer_info, i);
    sk_X509_ATTRIBUTE_pop_free(signer->unauth_attr, X509_ATTRIBUTE_free);
    signer->unauth_attr = nullptr;
  }
  ERR_clear_error();
}

/// What strip() leaves, and no more certificates than a chain has.
Status check_form(const PKCS7_SIGNED& signed_data) {
  if (sk_PKCS7_SIGNER_INFO_num(signed_data.signer_info) != 1) {
    return malformed("not one signature");
  }
  const PKCS7_SIGNER_INFO* const signer = sk_PKCS7_SIGNER_INFO_value(signed_data.signer_info, 0);
  const int certificates = sk_X509_num(signed_data.cert);
  if (certificates < 1) return malformed("without the certificate that signed");
  if (certificates > max_certificates) return malformed("too many certificates");
  if (signed_data.crl != nullptr || signer->unauth_attr != nullptr) {
    return malformed("carries what nobody signed");
  }
  // Neither is signed, and nothing else looks at them (RFC 5652, 5.1 and 5.3).
  constexpr long signed_data_version = 3;
  constexpr long signer_version = 1;
  if (ASN1_INTEGER_get(signed_data.version) != signed_data_version ||
      ASN1_INTEGER_get(signer->version) != signer_version) {
    return malformed("not of a version that RFC 3161 knows");
  }
  return {};
}

bool is_strong_digest(const X509_ALGOR* algorithm) {
  const ASN1_OBJECT* object = nullptr;
  X509_ALGOR_get0(&object, nullptr, nullptr, algorithm);
  const int kind = OBJ_obj2nid(object);
  return kind == NID_sha256 || kind == NID_sha384 || kind == NID_sha512;
}

/// OpenSSL goes by the key and looks at this field not at all (RFC 5652, 5.3: signatureAlgorithm).
bool names_its_signature(const PKCS7_SIGNER_INFO& signer, X509* certificate) {
  const ASN1_OBJECT* object = nullptr;
  int parameter = V_ASN1_UNDEF;
  X509_ALGOR_get0(&object, &parameter, nullptr, signer.digest_enc_alg);
  const EVP_PKEY* const key = X509_get0_pubkey(certificate);
  const int kind = key == nullptr ? NID_undef : EVP_PKEY_get_base_id(key);
  if (kind == NID_undef) return false;
  if (parameter != V_ASN1_UNDEF && !(kind == EVP_PKEY_RSA && parameter == V_ASN1_NULL))
    return false;
  if (OBJ_obj2nid(object) == kind) return true;
  const ASN1_OBJECT* digest = nullptr;
  X509_ALGOR_get0(&digest, nullptr, nullptr, signer.digest_alg);
  int named_digest = NID_undef;
  int named_kind = NID_undef;
  return OBJ_find_sigid_algs(OBJ_obj2nid(object), &named_digest, &named_kind) == 1 &&
         named_digest == OBJ_obj2nid(digest) && named_kind == kind;
}

Result<std::int64_t> unix_time(const ASN1_GENERALIZEDTIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return malformed("its time is none");
  return static_cast<std::int64_t>(::timegm(&parts));
}

bool has_fraction(const ASN1_GENERALIZEDTIME* time) {
  const std::string_view text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(time)),
                              static_cast<std::size_t>(std::max(ASN1_STRING_length(time), 0)));
  return text.find('.') != std::string_view::npos;
}

/// Up to the next second; nothing when it is no accuracy that RFC 3161 allows.
std::optional<std::int64_t> accuracy_s(const TS_ACCURACY* accuracy) {
  if (accuracy == nullptr) return 0;
  const auto part = [](const ASN1_INTEGER* value, long most) -> std::optional<long> {
    if (value == nullptr) return 0;
    const long number = ASN1_INTEGER_get(value);
    if (number < 0 || number > most) return std::nullopt;
    return number;
  };
  constexpr long longest_s = 86'400;  // who knows the day only is no time-stamp authority
  const auto seconds = part(TS_ACCURACY_get_seconds(accuracy), longest_s);
  const auto millis = part(TS_ACCURACY_get_millis(accuracy), accuracy_thousandths - 1);
  const auto micros = part(TS_ACCURACY_get_micros(accuracy), accuracy_thousandths - 1);
  if (!seconds || !millis || !micros) return std::nullopt;
  return *seconds + (*millis > 0 || *micros > 0 ? 1 : 0);
}

Result<TimestampFacts> read_content(TS_TST_INFO& content) {
  TimestampFacts facts;
  if (TS_TST_INFO_get_version(&content) != 1) return malformed("not of a known version");
  TS_MSG_IMPRINT* const imprint = TS_TST_INFO_get_msg_imprint(&content);
  const ASN1_OBJECT* algorithm = nullptr;
  X509_ALGOR_get0(&algorithm, nullptr, nullptr, TS_MSG_IMPRINT_get_algo(imprint));
  const ASN1_OCTET_STRING* const digest = TS_MSG_IMPRINT_get_msg(imprint);
  if (OBJ_obj2nid(algorithm) != NID_sha256 ||
      ASN1_STRING_length(digest) != static_cast<int>(facts.digest.size())) {
    return refuted("not of a SHA-256 digest");
  }
  std::copy_n(ASN1_STRING_get0_data(digest), facts.digest.size(), facts.digest.begin());
  const ASN1_GENERALIZEDTIME* const time = TS_TST_INFO_get_time(&content);
  auto time_s = unix_time(time);
  if (!time_s) return pass(time_s);
  facts.time_s = *time_s;
  const auto accuracy = accuracy_s(TS_TST_INFO_get_accuracy(&content));
  if (!accuracy) return malformed("its accuracy is none");
  facts.not_after_s = facts.time_s + *accuracy + (has_fraction(time) ? 1 : 0);
  return facts;
}

std::string subject_of(X509* certificate) {
  const Memory text(BIO_new(BIO_s_mem()));
  constexpr std::size_t longest = 256;
  if (!text ||
      X509_NAME_print_ex(text.get(), X509_get_subject_name(certificate), 0,
                         XN_FLAG_RFC2253 & ~static_cast<unsigned long>(ASN1_STRFLGS_ESC_MSB)) < 0) {
    ERR_clear_error();
    return "somebody without a name";
  }
  char* data = nullptr;
  const long size = BIO_get_mem_data(text.get(), &data);
  if (size <= 0) return "somebody without a name";
  return escape({data, static_cast<std::size_t>(size)}, longest);
}

/// A store that believes nothing yet, at a time.
Store empty_store(std::int64_t time_s) {
  Store store(X509_STORE_new());
  if (!store) std::abort();  // out of memory
  X509_VERIFY_PARAM* const how = X509_STORE_get0_param(store.get());
  X509_VERIFY_PARAM_set_time(how, static_cast<time_t>(time_s));
  X509_VERIFY_PARAM_set_auth_level(how, security_level);
  // Whoever names a certificate believes what it has issued, whether it is a root or not.
  X509_VERIFY_PARAM_set_flags(how, X509_V_FLAG_PARTIAL_CHAIN);
  return store;
}

struct Parsed {
  Token token;
  TimestampFacts facts;
};

Result<Parsed> parse(ByteView bytes) {
  Token token = decode_token(bytes);
  if (!token) return malformed("not a token of RFC 3161");
  TWINCHAIN_TRY(check_form(*token->d.sign));
  const Bytes again = der<PKCS7, i2d_PKCS7>(token.get());
  if (!std::equal(again.begin(), again.end(), bytes.begin(), bytes.end())) {
    return malformed("not in DER");
  }
  const Content content(PKCS7_to_TS_TST_INFO(token.get()));
  ERR_clear_error();
  if (!content) return malformed("without the content of a token of RFC 3161");
  // The encoding inside is covered by the signature, whatever it is.
  const PKCS7_SIGNER_INFO* const signer = sk_PKCS7_SIGNER_INFO_value(token->d.sign->signer_info, 0);
  if (!is_strong_digest(signer->digest_alg)) return refuted("signed over a weak digest");
  if (sk_X509_ALGOR_num(token->d.sign->md_algs) != 1 ||
      X509_ALGOR_cmp(sk_X509_ALGOR_value(token->d.sign->md_algs, 0), signer->digest_alg) != 0) {
    return malformed("names another digest than that of its signature");
  }
  auto facts = read_content(*content);
  if (!facts) return pass(facts);
  return Parsed{std::move(token), std::move(*facts)};
}

/// The signature, and the chain of certificates up to the store.
Status verify_token(Parsed& parsed, X509_STORE* store) {
  ERR_clear_error();
  X509* found = nullptr;
  const int good = TS_RESP_verify_signature(parsed.token.get(), nullptr, store, &found);
  const Certificate signer(found);
  if (good != 1 || !signer) return refuted(openssl_reason());
  if (!names_its_signature(*sk_PKCS7_SIGNER_INFO_value(parsed.token->d.sign->signer_info, 0),
                           signer.get())) {
    return refuted("names another kind of signature than it has");
  }
  parsed.facts.authority = subject_of(signer.get());
  const Bytes encoded = der<X509, i2d_X509>(signer.get());
  parsed.facts.certificate_sha256 = sha256(encoded);
  return {};
}

/// As if every certificate in the token were believed.
Status verify_by_itself(Parsed& parsed) {
  const Store store = empty_store(parsed.facts.time_s);
  const STACK_OF(X509)* const certificates = parsed.token->d.sign->cert;
  for (int i = 0; i < sk_X509_num(certificates); ++i) {
    X509_STORE_add_cert(store.get(), sk_X509_value(certificates, i));
  }
  return verify_token(parsed, store.get());
}

Result<Parsed> parse_and_verify(ByteView token) {
  auto parsed = parse(token);
  if (!parsed) return pass(parsed);
  TWINCHAIN_TRY(verify_by_itself(*parsed));
  return parsed;
}

Integer integer_of(const TimestampNonce& nonce) {
  // Read as a big-endian number.
  std::uint64_t value = 0;
  for (const std::uint8_t byte : nonce) value = value << 8U | byte;
  Integer number(ASN1_INTEGER_new());
  if (!number || ASN1_INTEGER_set_uint64(number.get(), value) != 1) std::abort();
  return number;
}

std::string refusal_of(TS_STATUS_INFO* status) {
  std::string text = "the authority refuses";
  const STACK_OF(ASN1_UTF8STRING)* const words = TS_STATUS_INFO_get0_text(status);
  constexpr int most_words = 4;
  for (int i = 0; i < std::min(sk_ASN1_UTF8STRING_num(words), most_words); ++i) {
    const ASN1_UTF8STRING* const word = sk_ASN1_UTF8STRING_value(words, i);
    text += i == 0 ? ": " : "; ";
    text += escape({reinterpret_cast<const char*>(ASN1_STRING_get0_data(word)),
                    static_cast<std::size_t>(std::max(ASN1_STRING_length(word), 0))});
  }
  return text;
}

}  // namespace

Bytes timestamp_request(const Hash256& digest, const TimestampNonce& nonce) {
  const Request request(TS_REQ_new());
  const std::unique_ptr<TS_MSG_IMPRINT, Freeing<TS_MSG_IMPRINT_free>> imprint(TS_MSG_IMPRINT_new());
  const std::unique_ptr<X509_ALGOR, Freeing<X509_ALGOR_free>> algorithm(X509_ALGOR_new());
  Hash256 copy = digest;  // OpenSSL wants to be allowed to change it
  const bool made =
      request && imprint && algorithm &&
      X509_ALGOR_set0(algorithm.get(), OBJ_nid2obj(NID_sha256), V_ASN1_NULL, nullptr) == 1 &&
      TS_MSG_IMPRINT_set_algo(imprint.get(), algorithm.get()) == 1 &&
      TS_MSG_IMPRINT_set_msg(imprint.get(), copy.data(), static_cast<int>(copy.size())) == 1 &&
      TS_REQ_set_version(request.get(), 1) == 1 &&
      TS_REQ_set_msg_imprint(request.get(), imprint.get()) == 1 &&
      TS_REQ_set_nonce(request.get(), integer_of(nonce).get()) == 1 &&
      TS_REQ_set_cert_req(request.get(), 1) == 1;
  if (!made) std::abort();  // out of memory
  return der<TS_REQ, i2d_TS_REQ>(request.get());
}

Result<Bytes> take_timestamp_response(ByteView response, const Hash256& digest,
                                      const TimestampNonce& nonce) {
  if (response.empty() || response.size() > max_timestamp_response_bytes) {
    return malformed("not an answer of a time-stamp authority");
  }
  const Response answer = decode<Response, d2i_TS_RESP>(response);
  if (!answer) return malformed("not an answer of a time-stamp authority");
  TS_STATUS_INFO* const status = TS_RESP_get_status_info(answer.get());
  const ASN1_INTEGER* const number = TS_STATUS_INFO_get0_status(status);
  const long granted = number == nullptr ? -1 : ASN1_INTEGER_get(number);
  if (granted != TS_STATUS_GRANTED && granted != TS_STATUS_GRANTED_WITH_MODS) {
    return wrong(ExitCode::peer, refusal_of(status));
  }
  PKCS7* const token = TS_RESP_get_token(answer.get());
  if (token == nullptr || !PKCS7_type_is_signed(token)) return malformed("granted, without token");
  strip(*token->d.sign);
  Bytes bytes = der<PKCS7, i2d_PKCS7>(token);
  auto parsed = parse_and_verify(bytes);
  if (!parsed) return pass(parsed);
  if (parsed->facts.digest != digest) return refuted("the token is of another digest");
  const Content content(PKCS7_to_TS_TST_INFO(parsed->token.get()));
  const ASN1_INTEGER* const repeated = content ? TS_TST_INFO_get_nonce(content.get()) : nullptr;
  if (repeated == nullptr || ASN1_INTEGER_cmp(repeated, integer_of(nonce).get()) != 0) {
    return refuted("the token is the answer to another request");
  }
  return bytes;
}

Result<TimestampFacts> check_timestamp_token(ByteView token) {
  auto parsed = parse_and_verify(token);
  if (!parsed) return pass(parsed);
  return std::move(parsed->facts);
}

struct TimestampTrust::State {
  std::vector<Certificate> certificates;
};

TimestampTrust::TimestampTrust(std::unique_ptr<State> state) : state_(std::move(state)) {}
TimestampTrust::~TimestampTrust() = default;
TimestampTrust::TimestampTrust(TimestampTrust&&) noexcept = default;
TimestampTrust& TimestampTrust::operator=(TimestampTrust&&) noexcept = default;

Result<TimestampTrust> TimestampTrust::from_pem(ByteView pem) {
  auto state = std::make_unique<State>();
  const void* const begin = pem.empty() ? static_cast<const void*>("") : pem.data();
  const Memory text(BIO_new_mem_buf(begin, static_cast<int>(pem.size())));
  if (!text) std::abort();  // out of memory
  ERR_clear_error();
  while (Certificate one{PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr)}) {
    if (state->certificates.size() >= max_pem_certificates) {
      return fail(ExitCode::usage,
                  "more than " + decimal(std::uint64_t{max_pem_certificates}) + " certificates");
    }
    state->certificates.push_back(std::move(one));
  }
  // The end is told as an error, too.
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string reason = openssl_reason();
  if (!at_end) return fail(ExitCode::usage, "certificate cannot be read: " + reason);
  if (state->certificates.empty()) {
    return fail(ExitCode::usage, "no certificate in it", "certificates in PEM are expected");
  }
  return TimestampTrust(std::move(state));
}

Result<TimestampFacts> TimestampTrust::check(ByteView token) const {
  auto parsed = parse_and_verify(token);
  if (!parsed) return pass(parsed);
  const Store store = empty_store(parsed->facts.time_s);
  for (const Certificate& one : state_->certificates) {
    X509_STORE_add_cert(store.get(), one.get());
  }
  if (auto status = verify_token(*parsed, store.get()); !status) {
    status.error().code = ExitCode::unproven;
    return pass(status);
  }
  return std::move(parsed->facts);
}

}  // namespace twinchain
