// Any bytes as a DTDL interface: what is read is a schema that a SCHEMA frame can hold.

#include <cstdlib>

#include "twinchain/record/row_parser.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace twinchain;
  const auto schema = record::parse_dtdl(ByteView(data, size), "fuzz");
  if (!schema) return 0;
  const auto again = record::parse_schema(record::encode_schema(*schema));
  if (!again || *again != *schema) std::abort();
  return 0;
}
