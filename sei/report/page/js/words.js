// Glossary of the page.
const WORDS = [
  ["pool", "The training problems on which the model's mistakes are found. Never dev or test problems."],
  ["bad case", "A pool problem with a readable wrong answer. An answer without a result is unreadable."],
  ["keyphrase", "A short phrase by the instructor (a stronger model, or a program) that names the mistake in one bad case."],
  ["error type", "Bad cases with similar keyphrases. Types are clustered anew in every round and named after a keyphrase."],
  ["exemplar, validation case", "Two parts of a type's bad cases: exemplars for writing new problems, validation cases for scoring them."],
  ["candidate", "A new problem with solution, written for an error type, that passed the checks for copies."],
  ["refinement", "Scoring of candidates by how much each helps (one-shot learning). The best of each type are kept."],
  ["equal scores", "Among candidates with the same score the earlier one is kept. With many of them, the scores say little."],
  ["pooled", "If a type has too few validation cases, its candidates are scored on those of all types together."],
  ["replay", "Solved pool problems in the training data, so that they stay solved."],
  ["round", "One pass: answer the pool, find error types, write, refine, fine-tune, test."],
  ["dev", "Held-out problems for choosing the best round. Test sets choose nothing."],
  ["in domain, out of domain", "Test problems of the same kind as the training problems, and of another kind."],
  ["strict", "Right only if the answer is also in the requested format. Plain accuracy accepts an answer anywhere."],
  ["macro", "Mean of the accuracies of the set's groups (skills, subjects), each group with equal weight."],
  ["95 % interval", "For one accuracy: Wilson. For a change on the same problems: Agresti and Min. For three or more seeds: Student's t."],
  ["setting, seed", "Jobs of a sweep that differ only in the seed of their random draws are one setting."],
  ["kappa", "Agreement of two instructors on error types beyond chance: 1 is full, 0 is none."],
];

function wordsPart() {
  const list = WORDS.map(([word, text]) => [el("dt", null, word), el("dd", null, text)]);
  return section("words", "Words", null, el("dl", { class: "words" }, list));
}
