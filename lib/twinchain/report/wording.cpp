#include "twinchain/report/wording.hpp"

#include "twinchain/base/hex.hpp"

namespace twinchain::report {
namespace {

using chain::FindingKind;
using chain::Severity;

struct Meaning {
  FindingKind kind;
  const char* clause;   ///< after "because"
  const char* meaning;  ///< a sentence
};

constexpr Meaning meanings[] = {
    {FindingKind::fork, "two different versions of the same part were both signed",
     "Two different links with the same number are both validly signed: the holder of the key "
     "signed "
     "two histories."},
    {FindingKind::foreign_record, "parts of another record were mixed in",
     "A link belongs to another record of the same source."},
    {FindingKind::moved_source, "data of one source is presented as that of another",
     "Data was sealed for another source than the one it is shown under."},
    {FindingKind::renumbered, "parts were given other numbers than they were sealed with",
     "A frame carries another number than the one it was sealed with."},
    {FindingKind::altered_window, "parts were moved to another time",
     "A frame claims another period of time than the one it was sealed with."},
    {FindingKind::bad_signature, "a signature is false",
     "A signature was not made with the key it names, over the content it is attached to."},
    {FindingKind::bad_cosignature, "a counter-signature is false",
     "A further party's signature was not made with the key it names."},
    {FindingKind::foreign_cosignature, "a counter-signature belongs to another part",
     "A further party signed another link than the one the signature is attached to."},
    {FindingKind::key_not_committed, "parts were signed with a key that had not been announced",
     "A key signed here that the links before had not announced as the next one."},
    {FindingKind::commitment_changed, "the announcement of the next key was changed",
     "Links of one key announce different next keys."},
    {FindingKind::unknown_key, "none of the keys that signed it is trusted",
     "The record is signed, but by none of the keys that the examiner trusts."},
    {FindingKind::splice, "two pieces were joined and what lay between is missing",
     "Two pieces of one record were put together; the frames between them are missing."},
    {FindingKind::missing_frames, "parts of it are missing",
     "Frames that must have existed are not there."},
    {FindingKind::missing_link, "seals are missing",
     "A link, the seal of one window of time, is not there."},
    {FindingKind::reordered, "parts are out of order", "A frame is there, but not in its place."},
    {FindingKind::altered_content, "content is not what was sealed",
     "The content differs from what was sealed."},
    {FindingKind::missing_data, "sealed data is missing",
     "A link shows that data was sealed which is not there."},
    {FindingKind::conflicting_data, "one part exists in two versions",
     "A second frame with the same number has other content."},
    {FindingKind::link_disagrees, "seal and data contradict each other",
     "Link and data say different counts, rates or periods."},
    {FindingKind::broken_chain, "the chain of seals is broken",
     "A link is not the one that the next link follows."},
    {FindingKind::history_mismatch, "the history does not add up",
     "The sum over all frames so far is not what a link says it is."},
    {FindingKind::replayed_anchor, "an anchor of something else was attached",
     "An anchor belongs to another link than the one it is attached to."},
    {FindingKind::bad_receipt, "an anchor's receipt is false",
     "A receipt does not prove what it is meant to prove."},
    {FindingKind::anchor_not_on_chain, "an anchor's block is not part of the ledger",
     "The block that should hold the anchor is not on the ledger's best chain."},
    {FindingKind::missing_schema, "the description of the channels is missing",
     "The sealed description of names, types and units is not there."},
    {FindingKind::reject_mismatch, "rejected input differs from what was sealed",
     "The rows that the recorder could not read are not those that were sealed."},
    {FindingKind::head_missing, "the newest known part is missing",
     "The link that the examiner knows of is not in the record."},
    {FindingKind::gap, "there are stretches of time without a recording",
     "Between two windows nothing was recorded."},
    {FindingKind::rows_missing, "fewer rows are there than demanded",
     "The record has fewer rows than the examiner's policy asks for."},
    {FindingKind::damaged_frame, "parts of it are damaged",
     "The content of a frame does not match its checksum: it was damaged or changed."},
    {FindingKind::damaged_bytes, "bytes in it make no sense",
     "Bytes that are no part of the format stand between frames."},
    {FindingKind::malformed_frame, "parts of it make no sense",
     "A frame's checksums are right, but its content cannot be understood."},
    {FindingKind::critical_frame, "it has parts of an unknown kind that must be understood",
     "A frame says that it must be understood, and the program did not know its kind."},
    {FindingKind::not_a_stream, "the input is not a recording",
     "The input is empty or not in the format of these tools."},
    {FindingKind::truncated, "it ends in the middle",
     "The input ends inside a frame or without its end mark."},
    {FindingKind::duplicate_frame, "parts are there more than once",
     "The same frame is there again, as happens after a crash of the recorder."},
    {FindingKind::lost_window, "parts were lost before they could be sealed",
     "The operator declared under seal that this window was lost."},
    {FindingKind::dropped_data, "data was deleted by whoever keeps it",
     "The keeper of the store says this data was deleted on purpose; the seals are still there."},
    {FindingKind::new_record, "another record of the same source begins",
     "A new chain of seals begins; nothing proves what lies between the two."},
    {FindingKind::ledger_away, "the ledger could not be asked", "The ledger did not answer."},
    {FindingKind::nothing_sealed, "nothing in it is sealed", "There is no link in the input."},
    {FindingKind::unsealed, "parts of it are not sealed yet", "No link covers these frames."},
    {FindingKind::no_key, "no trusted key was given to check the signatures against",
     "The signatures are valid, but nobody said whose they should be."},
    {FindingKind::cut, "it begins in the middle of a record",
     "The record begins after its first link."},
    {FindingKind::withheld_channels, "some channels are withheld",
     "Some channels are not shown. What is shown is checked."},
    {FindingKind::unknown_frame, "it has parts of an unknown kind",
     "A frame is of a kind that the program did not know."},
    {FindingKind::anchor_not_deep, "the newest anchor is too recent",
     "Not enough blocks follow the one with the anchor yet."},
    {FindingKind::anchor_pending, "its newest part is not anchored yet",
     "These links are waiting for an anchor."},
    {FindingKind::no_anchor, "it was never anchored in a ledger",
     "No anchor fixes these links in time."},
    {FindingKind::anchor_unchecked, "its anchors were not checked against a ledger",
     "No ledger was given to check the anchors with."},
    {FindingKind::anchor_unmatched, "an anchor belongs to a part that is not here",
     "The link of an anchor is not in the input."},
    {FindingKind::cosignature_missing, "a demanded counter-signature is missing",
     "A further party that must have signed has not, or not up to here."},
    {FindingKind::cosignature_unmatched, "a counter-signature belongs to a part that is not here",
     "The link that a further party signed is not in the input."},
    {FindingKind::evidence_unchecked, "its proofs have to be checked in another way",
     "The input carries proofs that only verify bundle checks."},
    {FindingKind::unknown_cosigner, "somebody unknown has signed, too",
     "A further party has signed whose key nobody declared trustworthy."},
    {FindingKind::beyond_limits, "there was more than can be checked at once",
     "There were more sources or anchors than are checked at once."},
    {FindingKind::torn_tail, "the store was being written to",
     "The newest file of the store ends in a frame that was just being written."},
    {FindingKind::history_unknown, "the history could not be computed",
     "Not all links from the first on are there, so sums over the history were not checked."},
    {FindingKind::window_overlap, "windows of time overlap",
     "A window begins before the one before it has ended."},
    {FindingKind::wall_clock_back, "a clock went back", "The clock of the machine went back."},
    {FindingKind::wall_clock_step, "a clock was set",
     "The clock of the machine was set by more than a second."},
    {FindingKind::clock_drift, "clocks drifted apart",
     "Two clocks of one machine have come apart by more than ten seconds."},
    {FindingKind::monotonic_clock_back, "a clock that never goes back did",
     "The clock that counts from the machine's start went back."},
    {FindingKind::sealed_early, "a part was sealed before its time was over",
     "By its own clock the machine sealed the window before it had ended."},
    {FindingKind::sealed_late, "a part was sealed late",
     "By its own clock the machine sealed the window more than an hour after its end."},
    {FindingKind::closed_off_time, "a window was closed off its time",
     "The recorder closed the window more than a minute away from its end."},
    {FindingKind::beacon_back, "the known ledger went back",
     "The newest block known to the sealing machine is older than the one known before."},
    {FindingKind::beacon_after_anchor, "a seal knew a block younger than its anchor",
     "A link names a block that is not older than the block that holds it."},
    {FindingKind::beacon_not_on_chain, "a seal names a block that is not part of the ledger",
     "A block that a link names is not on the ledger's best chain."},
    {FindingKind::sealed_after_anchor, "a seal claims to be younger than its anchor",
     "By its own clock the link was sealed after the block that already holds it."},
};

/// nullptr for a kind that has no words here.
const Meaning* meaning_of(std::string_view kind) {
  for (const Meaning& meaning : meanings) {
    if (kind == chain::finding_kind_name(meaning.kind)) return &meaning;
  }
  return nullptr;
}

Severity severity_of(const VerdictRecord& record) {
  return severity_of_verdict(record.verdict).value_or(Severity::refuted);
}

bool any_trusted(const VerdictRecord& record) {
  for (const VerdictSigner& signer : record.signers) {
    if (signer.trusted) return true;
  }
  return false;
}

Html about(const VerdictFile& file, const VerdictRecord& record) {
  Html html;
  if (file.records.size() > 1) html.name(source_title(record)).raw(": ");
  return html;
}

void windows_statement(const VerdictFile& file, const VerdictRecord& record,
                       std::vector<Html>& out) {
  Html html = about(file, record);
  const bool whole = severity_of(record) < Severity::malformed;
  const std::uint64_t windows = record.accounting.windows;
  if (windows == 0) return;
  html.raw("<strong>The content.</strong> ");
  if (whole) {
    html.raw("All ").counted(windows, "window").raw(" of time that are here, with ");
  } else {
    html.counted(windows, "window").raw(" of time, with ");
  }
  html.counted(record.accounting.rows, "row").raw(" of measurements, are");
  if (record.proven_by_link) {
    html.raw(
            " exactly what was sealed: every byte was hashed, and the hashes lead to the history "
            "that "
            "the signed link ")
        .count(*record.proven_by_link)
        .raw(" commits to.");
  } else {
    html.raw(" exactly what was sealed: every byte was compared with the hash in its signed link.");
  }
  if (!whole) html.raw(" What the findings below name is not among them.");
  out.push_back(std::move(html));
}

void order_statement(const VerdictFile& file, const VerdictRecord& record, std::vector<Html>& out) {
  if (severity_of(record) > Severity::loss) return;
  Html html = about(file, record);
  html.raw("<strong>The order.</strong> From link ").count(record.first_link).raw(" to link ");
  html.count(record.last_link);
  if (record.proven_by_link) {
    html.raw(
        " none was taken out, put in or moved, and nothing is missing at the two ends: one proof "
        "covers them and their neighbours.");
    out.push_back(std::move(html));
    return;
  }
  html.raw(
      " none was taken out, put in or moved: each link contains the hash of the one before it.");
  if (record.history_computed) {
    html.raw(" The sum over the whole history was computed from the very first link on.");
  }
  out.push_back(std::move(html));
}

void signer_statement(const VerdictFile& file, const VerdictRecord& record,
                      std::vector<Html>& out) {
  if (!any_trusted(record)) return;
  Html html = about(file, record);
  html.raw("<strong>The origin.</strong> The links are signed with the key of ");
  bool first = true;
  std::string_view before;
  for (const VerdictSigner& signer : record.signers) {
    if (!signer.trusted || (!first && signer.name == before)) continue;
    if (!first) html.raw(", ");
    html.name(signer.name);
    before = signer.name;
    first = false;
  }
  html.raw(", which the examiner said is to be trusted (Ed25519 signatures).");
  out.push_back(std::move(html));
}

bool anchored(const VerdictRecord& record) {
  return record.covered_to && record.best_anchor && record.best_anchor->placed();
}

void anchor_statement(const VerdictFile& file, const VerdictRecord& record,
                      std::vector<Html>& out) {
  if (!anchored(record) || record.best_anchor->trivial) return;
  const VerdictBlock& block = *record.best_anchor;
  Html html = about(file, record);
  html.raw("<strong>Not younger than.</strong> ");
  if (*record.covered_to == record.last_link) {
    html.raw("The whole record existed");
  } else {
    html.raw("Everything up to link ").count(*record.covered_to).raw(" existed");
  }
  if (!block.authority.empty()) {
    html.raw(" when the time-stamp authority ").name(block.authority).raw(" signed its hash");
    if (block.time_ns) html.raw(", by ").time(*block.time_ns);
    html.raw("; this rests on that authority’s word, on its clock and on its key.");
    out.push_back(std::move(html));
    return;
  }
  html.raw(" when block ").count(block.height).raw(" of ").name(block.network).raw(" was made");
  if (block.time_ns) html.raw(", on ").time(*block.time_ns);
  html.raw("; ").counted(*block.depth, "block").raw(" of that ledger's proof of work secure this.");
  out.push_back(std::move(html));
}

void beacon_statement(const VerdictFile& file, const VerdictRecord& record,
                      std::vector<Html>& out) {
  if (!record.beacon || !record.beacon->time_ns) return;
  if (record.best_anchor && record.best_anchor->trivial) return;
  Html html = about(file, record);
  html.raw("<strong>Not older than.</strong> The first link was sealed after block ");
  html.count(record.beacon->height).raw(" was made, on ").time(*record.beacon->time_ns);
  html.raw(": it contains that block’s hash, which nobody could know before.");
  out.push_back(std::move(html));
}

void time_doubts(const VerdictFile& file, const VerdictRecord& record, std::vector<Html>& out) {
  Html html = about(file, record);
  html.raw("<strong>When it was made.</strong> ");
  if (record.receipts == 0) {
    html.raw(
        "The record was never anchored in a ledger. All times in it are the word of the "
        "machine that recorded it.");
  } else if (anchored(record) && record.best_anchor->trivial) {
    html.raw("The only anchors are in a ledger for trying out (").name(record.best_anchor->network);
    html.raw(
        "): whoever can write to it can make it anew in no time. It proves nothing against "
        "them, and nothing about time to others.");
  } else if (!anchored(record)) {
    html.text(record.receipts == 1 ? "There is " : "There are ");
    html.counted(record.receipts, "anchor");
    if (file.ledger_asked) {
      html.raw(", and none was confirmed by the ledger that was asked.");
    } else {
      html.raw(", but no ledger was asked whether the block exists.");
    }
  } else if (*record.covered_to < record.last_link) {
    html.raw("Links ").count(*record.covered_to + 1).raw(" to ").count(record.last_link);
    html.raw(" came after the last confirmed anchor; nothing but their own clock dates them.");
  } else {
    return;
  }
  out.push_back(std::move(html));
}

}  // namespace

const char* verdict_title(Severity severity) {
  switch (severity) {
    case Severity::note:
      return "Verified";
    case Severity::unproven:
      return "Not proven";
    case Severity::peer:
      return "Not checked";
    case Severity::loss:
      return "Incomplete";
    case Severity::malformed:
      return "Damaged";
    case Severity::refuted:
      return "Refuted";
  }
  return "Refuted";
}

const char* verdict_sentence(Severity severity) {
  switch (severity) {
    case Severity::note:
      return "Nothing was changed in this record or taken out of it since it was sealed; "
             "everything "
             "the examiner asked for is proven";
    case Severity::unproven:
      return "Nothing wrong was found, but not everything that would have to be shown is proven";
    case Severity::peer:
      return "The record could not be checked to the end";
    case Severity::loss:
      return "What is here is genuine and unchanged, but it is not complete";
    case Severity::malformed:
      return "The record is damaged or cut off, and nothing can be said about the damaged parts";
    case Severity::refuted:
      return "The record is not what was sealed, or not all of it";
  }
  return "";
}

std::string reason_clause(std::string_view kind) {
  if (const Meaning* meaning = meaning_of(kind)) return meaning->clause;
  const auto known = finding_kind_by_name(kind);
  return known ? chain::finding_verdict(*known) : std::string(kind);
}

const char* finding_meaning(std::string_view kind) {
  const Meaning* meaning = meaning_of(kind);
  return meaning != nullptr ? meaning->meaning : nullptr;
}

std::string finding_title(std::string_view kind) {
  const auto known = finding_kind_by_name(kind);
  if (!known) return std::string(kind);
  std::string title = chain::finding_verdict(*known);
  if (title[0] >= 'a' && title[0] <= 'z') title[0] = static_cast<char>(title[0] - 'a' + 'A');
  return title;
}

const char* severity_title(Severity severity) {
  switch (severity) {
    case Severity::note:
      return "Note";
    case Severity::unproven:
      return "Not proven";
    case Severity::peer:
      return "Not checked";
    case Severity::loss:
      return "Loss";
    case Severity::malformed:
      return "Damage";
    case Severity::refuted:
      return "Refuted";
  }
  return "Refuted";
}

const char* severity_meaning(Severity severity) {
  switch (severity) {
    case Severity::note:
      return "worth knowing; leaves the verdict as it is";
    case Severity::unproven:
      return "nothing wrong, but something is not proven";
    case Severity::peer:
      return "a ledger could not be asked";
    case Severity::loss:
      return "genuine, but something is not there";
    case Severity::malformed:
      return "cannot be read, so nothing can be said about it";
    case Severity::refuted:
      return "contradicts what was sealed";
  }
  return "";
}

std::string source_title(const VerdictRecord& record) {
  return record.source.empty() ? record.source_id : record.source;
}

std::vector<Html> proven_statements(const VerdictFile& file) {
  std::vector<Html> out;
  constexpr std::size_t max_records_in_words = 12;
  for (std::size_t i = 0; i < file.records.size() && i < max_records_in_words; ++i) {
    const VerdictRecord& record = file.records[i];
    if (record.links == 0) continue;
    windows_statement(file, record, out);
    order_statement(file, record, out);
    signer_statement(file, record, out);
    beacon_statement(file, record, out);
    anchor_statement(file, record, out);
  }
  if (file.records.size() > max_records_in_words) {
    out.push_back(Html()
                      .raw("Of ")
                      .count(file.records.size() - max_records_in_words)
                      .raw(" further records see the tables below."));
  }
  return out;
}

std::vector<Html> unproven_statements(const VerdictFile& file) {
  std::vector<Html> out;
  for (const VerdictFile::KindCount& one : file.kind_counts) {
    const auto found = [&](const VerdictFinding& finding) {
      return finding.kind == one.kind && finding.severity != Severity::note;
    };
    bool counts = false;
    for (const VerdictFinding& finding : file.findings) counts = counts || found(finding);
    if (!counts) continue;
    Html html;
    html.raw("<strong>").text(finding_title(one.kind)).raw(".</strong> ");
    const char* meaning = finding_meaning(one.kind);
    html.text(meaning != nullptr ? meaning : "This program has no words for this finding.");
    html.raw(" <a href=\"#findings\">").counted(one.count, "finding").raw("</a>");
    out.push_back(std::move(html));
  }
  for (const VerdictRecord& record : file.records) {
    if (out.size() > 24) break;
    if (record.links == 0) {
      out.push_back(about(file, record)
                        .raw("<strong>The content.</strong> Nothing of it is sealed: "
                             "it could have been written at any time by anybody."));
      continue;
    }
    time_doubts(file, record, out);
    if (!any_trusted(record)) {
      out.push_back(about(file, record)
                        .raw("<strong>The origin.</strong> No key that signed it was "
                             "declared trustworthy: it may be anybody’s."));
    }
    if (!record.beacon) {
      out.push_back(
          about(file, record)
              .raw("<strong>Not older than.</strong> Its links name no block of a ledger, "
                   "so nothing shows that they were not made earlier than they say."));
    } else if (!record.beacon->time_ns) {
      out.push_back(about(file, record)
                        .raw("<strong>Not older than.</strong> Its first link names block ")
                        .count(record.beacon->height)
                        .raw(", and no ledger confirmed that block."));
    }
  }
  return out;
}

std::vector<Html> undetectable_statements() {
  std::vector<Html> out;
  out.push_back(
      Html().raw("Whether the sensor told the truth, or measured what its label says. What "
                 "is checked is what was sealed, by whom, and since when."));
  out.push_back(Html().raw("What happened before the data reached the recorder."));
  out.push_back(
      Html().raw("Whether the record went on after its last link. Compare the head below "
                 "with one that the operator or a witness gives."));
  out.push_back(
      Html().raw("Whether somebody else used the signing key. Who steals it can sign "
                 "records that were never recorded, but none that was anchored before."));
  out.push_back(
      Html().raw("Whether anchors were taken out of the file, as long as no ledger is "
                 "asked."));
  return out;
}

}  // namespace twinchain::report
