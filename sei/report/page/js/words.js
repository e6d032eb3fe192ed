// The words of this page, for a reader who meets them here first.
const WORDS = [
  ["pool", "The training problems that the model is run on to find its mistakes. Never the dev or test problems."],
  ["bad case", "A pool problem that was answered readably and wrongly. An answer that states no result is unreadable."],
  ["keyphrase", "A few words by the instructor (the stronger model or program) on what went wrong in one bad case."],
  ["error type", "Bad cases with similar keyphrases, found by clustering anew in every round and named after a keyphrase."],
  ["exemplar, validation case", "Two parts of a type's bad cases: to write new problems from, and to score those."],
  ["candidate", "A new problem with solution, written for an error type, that passed the checks against copies."],
  ["refinement", "Scoring of candidates by how much each one helps (one-shot learning); the best of each type are kept."],
  ["equal scores", "Where a refiner gives many candidates the same score, the earlier one is kept; then it has little to say."],
  ["pooled", "A type with too few validation cases has its candidates scored on those of all types together."],
  ["replay", "Solved pool problems that are trained on again, so that they stay solved."],
  ["round", "One pass: answer the pool, find error types, write, refine, fine-tune, test."],
  ["dev", "Held-out problems that choose among rounds. Test sets choose nothing."],
  ["in domain, out of domain", "Test problems of the kind that is trained on, and of another kind."],
  ["strict", "Right only where the answer also stands in the format asked for; plain accuracy takes it from anywhere."],
  ["macro", "Mean of the accuracies of the set's groups (skills, subjects), each group with equal weight."],
  ["95 % interval", "Of one accuracy: Wilson's. Of a change: for the same problems before and after (Agresti and Min). Of three or more seeds: Student's t."],
  ["setting, seed", "Jobs of a sweep that differ in nothing but the seed (of all that is drawn at random) are one setting."],
  ["kappa", "Agreement of two instructors on error types beyond chance: 1 is full, 0 is none."],
];

function wordsPart() {
  const list = WORDS.map(([word, text]) => [el("dt", null, word), el("dd", null, text)]);
  return section("words", "Words", null, el("dl", { class: "words" }, list));
}
