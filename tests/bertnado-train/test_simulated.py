"""The simulated DNA."""

import numpy as np
from bertnado_train.simulated import BASES, MOTIF, simulate_sequences
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score


def test_the_same_seed_gives_the_same_sequences():
    first, again = (simulate_sequences(20, np.random.default_rng(3)) for _ in range(2))
    assert first[0] == again[0]
    assert first[1].tolist() == again[1].tolist()


def test_sequences_are_dna_of_100_to_160_base_pairs():
    sequences, labels = simulate_sequences(200, np.random.default_rng(0))
    assert {len(sequence) for sequence in sequences} <= set(range(100, 161))
    assert set("".join(sequences)) == set(BASES)
    assert set(labels.tolist()) == {0, 1}


def test_composition_alone_does_not_tell_the_classes_apart_and_words_of_the_motif_do():
    train, test = (simulate_sequences(1500, np.random.default_rng(seed)) for seed in (1, 2))
    scores = {}
    for length in (1, 6):
        words = CountVectorizer(analyzer="char", ngram_range=(length, length), lowercase=False)
        model = LogisticRegression(max_iter=500, C=0.1).fit(words.fit_transform(train[0]), train[1])
        scores[length] = roc_auc_score(test[1], model.predict_proba(words.transform(test[0]))[:, 1])
    assert abs(scores[1] - 0.5) < 0.06
    assert scores[6] > 0.7


def test_the_motif_is_made_of_bases():
    assert set(MOTIF) <= set(BASES)
