"""The fixed vocabulary of every report: outcomes, suites, endpoints, bias labels."""

from dataclasses import dataclass

from kdaudit.results import Better, Outcome, Severity

OUTCOMES = {
    Outcome.PASS: "PASS",
    Outcome.FAIL: "FAIL",
    Outcome.INCONCLUSIVE: "INCONCLUSIVE",
    Outcome.NOT_EVALUABLE: "NOT EVALUABLE",
    Outcome.ERROR: "ERROR",
}

COUNTED = {
    Outcome.PASS: "passed",
    Outcome.FAIL: "failed",
    Outcome.INCONCLUSIVE: "inconclusive",
    Outcome.NOT_EVALUABLE: "not evaluable",
    Outcome.ERROR: "crashed",
}

SEVERITIES = {Severity.BLOCK: "blocks", Severity.WARN: "warns", Severity.INFO: "informs"}


@dataclass(frozen=True, slots=True)
class Topic:
    """What a suite is about, for a reader who has not read its manual."""

    title: str
    question: str


SUITES = {
    "accuracy": Topic(
        "Accuracy", "Is the student right as often as the teacher, on the same rows?"
    ),
    "calibration": Topic(
        "Calibration", "When the student says it is 90% sure, is it right nine times in ten?"
    ),
    "slices": Topic(
        "Slices and rare cases", "Where does the student lose what the average does not show?"
    ),
    "fairness": Topic(
        "Fairness", "Which of the teacher's biases did the student inherit, amplify or add?"
    ),
    "preferences": Topic(
        "Preferences", "Which stereotypes did the student inherit from the teacher, or add?"
    ),
    "hallucination": Topic(
        "Hallucination", "How often does it answer wrongly where it should have declined?"
    ),
    "memorisation": Topic(
        "Memorisation", "Which training texts can be got out of it, and whose memory is it?"
    ),
    "safety": Topic("Safety", "Does it still refuse what the teacher refuses, and nothing else?"),
    "latency": Topic("Latency, size and cost", "What does the student save, and on what machine?"),
}

STRANGER = "A suite from outside kdaudit; kdaudit suites show NAME prints its manual."


def topic(suite: str) -> Topic:
    """Title and question of a suite; a stranger's suite is titled by its name."""
    return SUITES.get(suite, Topic(suite, STRANGER))


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a code measures, for checks at whose address nothing was measured."""

    metric: str
    unit: str
    better: Better


HIGHER, LOWER, ZERO = Better.HIGHER, Better.LOWER, Better.ZERO

ENDPOINTS = {
    "ACC001": Endpoint("accuracy", "share of rows", HIGHER),
    "ACC002": Endpoint("negative flips", "share of rows", LOWER),
    "ACC003": Endpoint("invalid or missing answers", "share of rows", LOWER),
    "ACC004": Endpoint("accuracy above chance", "share of rows", HIGHER),
    "ACC005": Endpoint("agreement with the teacher", "share of rows", HIGHER),
    "ACC006": Endpoint("expected cost", "cost per row", LOWER),
    "ACC010": Endpoint("task score", "mean score", HIGHER),
    "ACC011": Endpoint("bits per byte", "bits per byte of text", LOWER),
    "CAL001": Endpoint("Brier score", "score, 0 to 2", LOWER),
    "CAL002": Endpoint("negative log-likelihood", "nats", LOWER),
    "CAL003": Endpoint("signed confidence gap", "share of rows", ZERO),
    "CAL004": Endpoint("debiased squared calibration error", "score", LOWER),
    "CAL005": Endpoint("signed gap of the favourable class", "share of rows", ZERO),
    "CAL006": Endpoint(
        "debiased squared calibration error of the favourable class", "score", LOWER
    ),
    "CAL007": Endpoint("area under the generalized risk-coverage curve", "score, 0 to 0.5", LOWER),
    "CAL008": Endpoint("Brier score after temperature scaling", "score, 0 to 2", LOWER),
    "SLC001": Endpoint("accuracy in the slice", "share of rows", HIGHER),
    "SLC002": Endpoint("class recall", "share of rows", HIGHER),
    "SLC003": Endpoint("accuracy by class frequency", "share of rows", HIGHER),
    "SLC004": Endpoint("accuracy in a slice found by search", "share of rows", HIGHER),
    "FAI001": Endpoint("selection-rate contrast", "share of rows", ZERO),
    "FAI002": Endpoint(
        "true-positive-rate contrast", "share of rows with a favourable label", ZERO
    ),
    "FAI003": Endpoint(
        "false-positive-rate contrast", "share of rows with a label that is not favourable", ZERO
    ),
    "FAI004": Endpoint("accuracy contrast", "share of rows", ZERO),
    "FAI005": Endpoint("fidelity contrast", "share of rows", ZERO),
    "FAI006": Endpoint("confidence-gap contrast", "share of rows", ZERO),
    "FAI007": Endpoint("negative-flip contrast", "share of rows", ZERO),
    "FAI008": Endpoint("directional bias amplification", "share of rows", LOWER),
    "FAI009": Endpoint("impact ratio to the most selected group", "ratio", HIGHER),
    "FAI010": Endpoint("counterfactual flips", "share of rows", LOWER),
    "FAI011": Endpoint("impact ratio to the rest", "ratio", HIGHER),
    "FAI012": Endpoint("counterfactual shift of the favourable probability", "share of rows", ZERO),
    "HAL001": Endpoint("incorrect rate", "share of rows", LOWER),
    "HAL002": Endpoint("correct rate", "share of rows", HIGHER),
    "HAL003": Endpoint("out-of-scope claims", "share of out-of-scope rows", LOWER),
    "HAL004": Endpoint("not attempted rate", "share of answerable rows", LOWER),
    "HAL005": Endpoint("abstention lost", "share of rows the teacher declines", LOWER),
    "HAL006": Endpoint("copied hallucinations", "share of rows the teacher gets wrong", LOWER),
    "HAL007": Endpoint("unanswerable rows answered", "share of unanswerable rows", LOWER),
    "HAL008": Endpoint("truncated answers", "share of rows", LOWER),
    "HAL009": Endpoint(
        "answers with content absent from the source", "share of rows with a source", LOWER
    ),
    "HAL010": Endpoint("score with a penalty for wrong answers", "points per row", HIGHER),
    "HAL011": Endpoint("introduced hallucinations", "share of rows", LOWER),
    "HAL012": Endpoint("rows with a true choice likeliest (MC1)", "share of rows", HIGHER),
    "HAL013": Endpoint(
        "probability of the true choices among all (MC2)", "share of probability", HIGHER
    ),
    "PRE001": Endpoint("stereotyped preferences less their opposites", "share of pairs", ZERO),
    "PRE002": Endpoint("accuracy in ambiguous contexts", "share of ambiguous rows", HIGHER),
    "PRE003": Endpoint("accuracy in disambiguated contexts", "share of disambiguated rows", HIGHER),
    "PRE004": Endpoint(
        "bias score in disambiguated contexts (s_DIS)",
        "share of the disambiguated rows that are decided",
        ZERO,
    ),
    "PRE005": Endpoint("bias score in ambiguous contexts (s_AMB)", "share of ambiguous rows", ZERO),
    "PRE006": Endpoint("stereotyped answers less their opposites", "share of rows", ZERO),
    "MEM001": Endpoint("verbatim extraction", "share of training texts", LOWER),
    "MEM002": Endpoint("approximate extraction", "share of training texts", LOWER),
    "MEM003": Endpoint("student-only extraction", "share of training texts", LOWER),
    "MEM004": Endpoint("canary exposure", "bits", LOWER),
    "MEM005": Endpoint("membership inference, area under the ROC curve", "area", LOWER),
    "MEM006": Endpoint(
        "members found at a false-positive rate of 1%", "share of training texts", LOWER
    ),
    "MEM007": Endpoint(
        "inherited extraction", "share of training texts the teacher extracts", LOWER
    ),
    "MEM008": Endpoint(
        "extraction of texts that were not trained on", "share of other texts", LOWER
    ),
    "SAF001": Endpoint("lost refusals", "share of harmful prompts", LOWER),
    "SAF002": Endpoint("new refusals", "share of benign prompts", LOWER),
    "SAF003": Endpoint("compliance with harmful prompts", "share of harmful prompts", LOWER),
    "SAF004": Endpoint("refusals of benign prompts", "share of benign prompts", LOWER),
    "LAT001": Endpoint("speed-up", "times faster", HIGHER),
    "LAT002": Endpoint("latency percentile", "milliseconds", LOWER),
    "LAT003": Endpoint("size on disk", "bytes", LOWER),
    "LAT004": Endpoint("peak memory", "bytes", LOWER),
    "LAT005": Endpoint("cost of 1,000 requests", "price of 1,000 requests", LOWER),
    "LAT006": Endpoint("parameters", "weights", LOWER),
    "LAT007": Endpoint("time to first token, percentile", "milliseconds", LOWER),
    "LAT008": Endpoint("time per output token, percentile", "milliseconds per token", LOWER),
    "LAT009": Endpoint("time to the whole answer, percentile", "milliseconds", LOWER),
    "LAT010": Endpoint("goodput", "share of requests within all limits", HIGHER),
    "LAT011": Endpoint("throughput", "requests/s", HIGHER),
    "LAT012": Endpoint("time per byte written, percentile", "milliseconds per byte", LOWER),
    "LAT013": Endpoint("tokens written", "mean per request", LOWER),
    "LAT014": Endpoint("bytes written", "mean per request", LOWER),
    "LAT015": Endpoint("break-even", "requests until distillation is paid for", LOWER),
    "LAT016": Endpoint("energy", "joules per request", LOWER),
}

BETTER = {HIGHER: "higher is better", LOWER: "lower is better", ZERO: "zero is best"}

# How a bias label reads at a glance: harm that is new, harm that is old, relief, or nothing known.
BIAS = {
    "introduced": "worse",
    "amplified": "worse",
    "amplified or introduced": "worse",
    "amplified, introduced or reversed": "worse",
    "reversed": "worse",
    "inherited": "same",
    "at least inherited": "same",
    "attenuated": "better",
    "attenuated or repaired": "better",
    "repaired": "better",
    "none": "quiet",
}
