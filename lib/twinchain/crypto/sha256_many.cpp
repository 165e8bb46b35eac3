#include "twinchain/crypto/sha256_many.hpp"

#include <algorithm>
#include <cassert>
#include <cstdlib>

#include "twinchain/crypto/sha256.hpp"

#ifdef TWINCHAIN_IPSEC_MB
#include <intel-ipsec-mb.h>

#include <memory>
#include <vector>
#endif

namespace twinchain {
namespace {

void one_by_one(std::span<const PrefixedMessage> messages, std::span<Hash256> digests) {
  for (std::size_t i = 0; i < messages.size(); ++i) {
    digests[i] = sha256({messages[i].prefix, messages[i].body});
  }
}

#ifdef TWINCHAIN_IPSEC_MB

/// The library counts a lane's bytes in 16 bits.
constexpr std::size_t max_lane_bytes = 65'528;
/// With fewer messages the empty lanes cost more than the filled ones save.
constexpr std::size_t min_messages = 4;
/// Messages are copied behind their prefixes; what is in flight should stay in the second-level
/// cache, and enough of it to fill sixteen lanes more than once.
constexpr std::size_t arena_bytes = std::size_t{512} << 10;

struct FreeManager {
  void operator()(IMB_MGR* manager) const { free_mb_mgr(manager); }
};

class Lanes {
 public:
  Lanes() : manager_(alloc_mb_mgr(0)) {
    if (!manager_) return;
    init_mb_mgr_auto(manager_.get(), nullptr);
    if (imb_get_errno(manager_.get()) != 0) manager_.reset();
  }

  /// False on a processor that the library does not know; then nothing else may be called.
  [[nodiscard]] bool usable() const { return manager_ != nullptr; }

  void sha256(std::span<const PrefixedMessage> messages, std::span<Hash256> digests) {
    for (std::size_t i = 0; i < messages.size(); ++i) {
      const std::size_t size = messages[i].prefix.size() + messages[i].body.size();
      if (size > max_lane_bytes) {
        digests[i] = twinchain::sha256({messages[i].prefix, messages[i].body});
        continue;
      }
      if (arena_.size() - used_ < size) flush();
      std::uint8_t* const copy = arena_.data() + used_;
      std::copy(messages[i].prefix.begin(), messages[i].prefix.end(), copy);
      std::copy(messages[i].body.begin(), messages[i].body.end(), copy + messages[i].prefix.size());
      used_ += size;
      IMB_JOB& job = next_job(IMB_AUTH_SHA_256, digests[i]);
      job.src = copy;
      job.msg_len_to_hash_in_bytes = size;
      submit();
    }
    flush();
  }

  void hmac_sha256(ByteView key, std::span<const ByteView> messages, std::span<Hash256> macs) {
    HmacBlock pad = hmac_key_block(key);
    alignas(16) Hash256 inner{};
    alignas(16) Hash256 outer{};
    IMB_SHA256_ONE_BLOCK(manager_.get(), pad.data(), inner.data());
    turn_hmac_block(pad);
    IMB_SHA256_ONE_BLOCK(manager_.get(), pad.data(), outer.data());
    for (std::size_t i = 0; i < messages.size(); ++i) {
      IMB_JOB& job = next_job(IMB_AUTH_HMAC_SHA_256, macs[i]);
      job.src = messages[i].data();
      job.msg_len_to_hash_in_bytes = messages[i].size();
      job.u.HMAC._hashed_auth_key_xor_ipad = inner.data();
      job.u.HMAC._hashed_auth_key_xor_opad = outer.data();
      submit();
    }
    flush();
    wipe(pad);
    wipe(inner);
    wipe(outer);
  }

 private:
  IMB_JOB& next_job(IMB_HASH_ALG algorithm, Hash256& result) {
    IMB_JOB& job = *IMB_GET_NEXT_JOB(manager_.get());
    job = IMB_JOB{};
    job.cipher_mode = IMB_CIPHER_NULL;
    job.cipher_direction = IMB_DIR_ENCRYPT;
    job.chain_order = IMB_ORDER_HASH_CIPHER;
    job.hash_alg = algorithm;
    job.auth_tag_output = result.data();
    job.auth_tag_output_len_in_bytes = result.size();
    return job;
  }
  void submit() {
    for (IMB_JOB* done = IMB_SUBMIT_JOB(manager_.get()); done != nullptr;
         done = IMB_GET_COMPLETED_JOB(manager_.get())) {
      check(*done);
    }
  }
  void flush() {
    while (const IMB_JOB* done = IMB_FLUSH_JOB(manager_.get())) check(*done);
    used_ = 0;
  }
  /// A digest that was not computed must not be taken for one.
  static void check(const IMB_JOB& job) {
    if (job.status != IMB_STATUS_COMPLETED) std::abort();
  }

  std::unique_ptr<IMB_MGR, FreeManager> manager_;
  std::vector<std::uint8_t> arena_ = std::vector<std::uint8_t>(arena_bytes);
  std::size_t used_ = 0;
};

/// A manager is one thread's, and costs a fraction of a millisecond to make.
Lanes& lanes() {
  thread_local Lanes mine;
  return mine;
}

bool worth_lanes(std::size_t messages) {
  return messages >= min_messages && lanes().usable();
}

#endif

}  // namespace

void sha256_many(std::span<const PrefixedMessage> messages, std::span<Hash256> digests) {
  assert(messages.size() == digests.size());
#ifdef TWINCHAIN_IPSEC_MB
  if (worth_lanes(messages.size())) return lanes().sha256(messages, digests);
#endif
  one_by_one(messages, digests);
}

void hmac_sha256_many(ByteView key, std::span<const ByteView> messages, std::span<Hash256> macs) {
  assert(messages.size() == macs.size());
#ifdef TWINCHAIN_IPSEC_MB
  const bool fit = std::all_of(messages.begin(), messages.end(), [](ByteView message) {
    return !message.empty() && message.size() <= max_lane_bytes;
  });
  if (fit && worth_lanes(messages.size())) return lanes().hmac_sha256(key, messages, macs);
#endif
  for (std::size_t i = 0; i < messages.size(); ++i) macs[i] = hmac_sha256(key, messages[i]);
}

}  // namespace twinchain
