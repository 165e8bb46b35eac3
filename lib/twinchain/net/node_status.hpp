// A node's status for people. Floor 6.
#pragma once

#include <string>
#include <string_view>

#include "twinchain/base/result.hpp"

namespace twinchain::net {

/// Lines of text from the JSON that a node sent, whose every string is escaped.
/// ExitCode::malformed when it is no "twinchain node status 1".
Result<std::string> describe_status(std::string_view json);

}  // namespace twinchain::net
