// Tokens from a stack of layers: embedding, layers, readout, a draw, and again.
#pragma once

#include <cmath>
#include <numeric>

#include "matrix.h"
#include "pool.h"

namespace sluice::SLUICE_ISA {

// What makes tokens of layers; the arrays are the caller's.
template <class Real> struct Language {
    i64 vocabulary = 0, width = 0;  // `width`: of the embedding
    const Real *embedding = nullptr, *readout = nullptr, *bias = nullptr;
};

// How tokens are drawn; the arrays are the caller's.
struct Draws {
    i64 steps = 0, end = 0;
    const double* uniforms = nullptr;  // (steps, batch), in [0, 1)
    const uint8_t* choices = nullptr;  // (places, 1 or batch, vocabulary): what may stand there
    i64 places = 1;                    // the last one serves every later step
    bool own_choices = false;          // each sequence has its own
    i64 top_k = 0;                     // 0: all
    double temperature = 1, top_p = 2, typical = 2;
};

// Draws by the inverse of the cumulative sum, in the order of the vocabulary.
class Drawer {
public:
    explicit Drawer(i64 vocabulary)
        : weights_(size_t(vocabulary)), order_(size_t(vocabulary)), far_(size_t(vocabulary)) {}

    // The token for `logits`; −1 where one is NaN.
    template <class Real>
    i64 draw(const Draws& draws, const Real* logits, const uint8_t* allowed, double uniform) {
        const i64 size = i64(weights_.size());
        double greatest = -INFINITY, total = 0;
        bool wrong = false;
        for (i64 v = 0; v < size; ++v) {
            wrong |= std::isnan(logits[v]);
            if (allowed[v]) greatest = std::max(greatest, double(logits[v]));
        }
        if (wrong) return -1;
        for (i64 v = 0; v < size; ++v)
            total += weights_[size_t(v)] =
                allowed[v] ? std::exp((double(logits[v]) - greatest) / draws.temperature) : 0;
        if (draws.top_k > 0 || draws.top_p < 1) total = keep_likeliest(draws, total);
        if (draws.typical < 1) total = keep_typical(draws, total);
        double left = uniform * total;
        i64 last = -1;
        for (i64 v = 0; v < size; ++v) {
            if (!(weights_[size_t(v)] > 0)) continue;
            last = v;
            left -= weights_[size_t(v)];
            if (left < 0) break;
        }
        return last;
    }

private:
    std::vector<double> weights_;
    std::vector<i64> order_;
    std::vector<double> far_;

    // Of equals the first goes before.
    template <class Before> void sort(Before before) {
        std::iota(order_.begin(), order_.end(), 0);
        std::stable_sort(order_.begin(), order_.end(), before);
    }

    // Weights of zero for all but the first `count` that together reach `mass`. Returns the sum.
    double keep_first(i64 count, double mass) {
        double kept = 0;
        for (i64 v : order_) {
            double& weight = weights_[size_t(v)];
            if (count-- <= 0 || kept >= mass) weight = 0;
            kept += weight;
        }
        return kept;
    }

    double keep_likeliest(const Draws& draws, double total) {
        sort([&](i64 a, i64 b) { return weights_[size_t(a)] > weights_[size_t(b)]; });
        return keep_first(draws.top_k > 0 ? draws.top_k : i64(order_.size()), draws.top_p * total);
    }

    // The tokens whose information is nearest the entropy of what is left.
    double keep_typical(const Draws& draws, double total) {
        double entropy = 0;
        for (size_t v = 0; v < weights_.size(); ++v) {
            const double p = weights_[v] / total;
            far_[v] = p > 0 ? -std::log(p) : INFINITY;
            if (p > 0) entropy += p * far_[v];
        }
        for (double& far : far_) far = std::abs(far - entropy);
        sort([&](i64 a, i64 b) { return far_[size_t(a)] < far_[size_t(b)]; });
        return keep_first(i64(order_.size()), draws.typical * total);
    }
};

// A language on top of layers, which several threads walk through together. They share the layers
// and the readout; the draw each does for itself, as that is sooner than telling the others.
template <class Real> class Generation {
    // The readout is in the precision of the weights: packed as they are.
    using P = std::conditional_t<std::is_same_v<Real, float>, F32, F64>;
    static constexpr i64 L = lanes<Real>;

public:
    Generation(const Language<Real>& language, i64 batch, i64 features)
        : language_(language), batch_(batch),
          matrix_{false, 0, language.bias ? 1 : -1, language.vocabulary, features, 1, features, {0}},
          readout_(matrix_, false), row_(readout_.blocks * L) {
        const Real* parameters[] = {language.readout, language.bias};
        typename Packed<P>::Scratch scratch;
        for (i64 k = 0; k < readout_.panels(); ++k) readout_.pack(k, parameters, scratch);
        for (auto& logits : logits_) logits.resize(size_t(batch * row_));
    }

    Generation(const Generation&) = delete;

    // The tokens' embeddings, (batch, width).
    void embed(const i64* tokens, Real* x) const {
        for (i64 b = 0; b < batch_; ++b)
            std::copy_n(language_.embedding + tokens[b] * language_.width, language_.width,
                        x + b * language_.width);
    }
    std::vector<Real> embeddings() const { return std::vector<Real>(size_t(batch_ * language_.width + L)); }

    // A thread's part of the logits of the layers' output y, into the buffer of this `turn`.
    const Real* read_out(int id, Team* team, int turn, const Real* y, i64 row) {
        const int threads = team ? team->size : 1;
        const i64 panels = readout_.panels();
        const i64 first = panels * id / threads * readout_.per_panel;
        const i64 last = std::min(readout_.blocks, panels * (id + 1) / threads * readout_.per_panel);
        Real* logits = logits_[turn].data();
        if (last > first)
            readout_.multiply(y, row, batch_, logits + first * L, row_, L, first, last, false, nullptr);
        if (team) team->barrier(id);
        return logits;
    }
    i64 row() const { return row_; }

    // A thread's part, from `tokens` on: fills `drawn`, (steps, batch), and returns the steps taken,
    // −1 where weights gave NaN. `step(tokens, x, row)` is the layers', and gives the output and its
    // rows' distance; x holds the tokens' embeddings.
    template <class Step>
    i64 run(int id, Team* team, const Draws& draws, std::vector<i64> tokens, std::vector<i64>& drawn,
            Step step) {
        std::vector<Real> x = embeddings();
        std::vector<uint8_t> ended(size_t(batch_), 0);
        Drawer drawer(language_.vocabulary);
        for (i64 t = 0; t < draws.steps; ++t) {
            embed(tokens.data(), x.data());
            i64 row = language_.width;
            const Real* y = step(tokens.data(), x.data(), row);
            // In turns: a thread may be a step ahead of one that still draws.
            const Real* logits = read_out(id, team, int(t & 1), y, row);
            if (!draw(drawer, draws, t, logits, tokens, ended)) return -1;
            drawn.insert(drawn.end(), tokens.begin(), tokens.end());
            if (std::all_of(ended.begin(), ended.end(), [](uint8_t e) { return e; })) return t + 1;
        }
        return draws.steps;
    }

private:
    const Language<Real> language_;
    i64 batch_;
    Matrix matrix_;
    Packed<P> readout_;
    i64 row_;
    std::vector<Real> logits_[2];

    bool draw(Drawer& drawer, const Draws& draws, i64 t, const Real* logits, std::vector<i64>& tokens,
              std::vector<uint8_t>& ended) const {
        const i64 place = std::min(t, draws.places - 1);
        for (i64 b = 0; b < batch_; ++b) {
            const i64 which = draws.own_choices ? place * batch_ + b : place;
            i64& token = tokens[size_t(b)];
            token = drawer.draw(draws, logits + b * row_, draws.choices + which * language_.vocabulary,
                                draws.uniforms[t * batch_ + b]);
            if (token < 0) return false;
            ended[size_t(b)] |= token == draws.end;
        }
        return true;
    }
};

}  // namespace sluice::SLUICE_ISA
