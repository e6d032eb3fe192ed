// Reasons for dropping, in words. Any other reason is shown by its name.
const APART = {
  test: "a test question",
  dev: "a dev question",
  validation: "a question kept for refinement",
  earlier: "a synthetic question from an earlier round",
};
const LIKENESS = {
  exact: "the same text",
  ngram: "a long run of the same words",
  signature: "the same problem with other names and objects",
  rouge: "much the same words (ROUGE-L)",
  embedding: "nearly the same meaning (embedding)",
};
const REASONS = {
  rouge_l: "too similar to an existing question (ROUGE-L)",
  duplicate_signature: "the same problem with other names and objects exists already",
  over_quota: "its error type already has its share",
  answer_mismatch: "its solution does not end in its answer",
  disagreement: "solving it again gave another answer",
  off_contract: "the instructor's reply was not in the requested form",
  no_numbers_fit: "no numbers fit the story",
  no_divergence: "no first wrong step was found",
  content_filter: "the server's content filter refused it",
  unavailable: "the server gave no answer",
  too_long: "it is too long",
};

// Why a bad case's reference solution cannot be rewritten with other numbers.
const FLAWS = {
  no_steps: "its solution has no steps",
  wrong_arithmetic: "a step of its solution does not compute",
  untraced_operand: "a number in its solution has no source",
  ambiguous_operand: "a number in its solution has two possible sources",
  unused_number: "a number in its question is not used",
  answer_is_not_last_step: "its answer is not its last step",
};
const NO_PROBLEM = ["off_contract", "content_filter", "unavailable", "no_numbers_fit"];

function because(reason) {
  const plain = reason.replace(/^(diagnose|cluster)_/, "");
  if (REASONS[plain]) return REASONS[plain];
  const [, set, likeness] = plain.match(/^([a-z]+)_([a-z]+)$/) || [];
  if (APART[set] && LIKENESS[likeness]) return `too close to ${APART[set]}: ${LIKENESS[likeness]}`;
  if (plain.startsWith("exemplar_"))
    return `no new problem can be made from this bad case: ${FLAWS[plain.slice(9)] || words(plain.slice(9))}`;
  return words(plain);
}

// The kind of item that was dropped.
function droppedThing(stage, reason) {
  if (stage === "curriculum") return "training example";
  if (/^(diagnose|cluster)$/.test(stage) || /^(diagnose|cluster|exemplar)_/.test(reason)) return "bad case";
  return NO_PROBLEM.includes(reason) ? "reply" : "new problem";
}
