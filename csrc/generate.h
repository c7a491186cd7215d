// Tokens from a stack of layers: embedding, layers, readout, a draw, and again.
#pragma once

#include <cmath>
#include <numeric>

#include "matrix.h"
#include "pool.h"

namespace sluice::SLUICE_ISA {

// How tokens are drawn, and with what; the arrays are the caller's.
template <class Real> struct Draws {
    i64 vocabulary = 0, width = 0, end = 0;  // `width`: of the embedding
    const Real *embedding = nullptr, *readout = nullptr, *bias = nullptr;
    const double* uniforms = nullptr;  // (steps, batch), in [0, 1)
    const uint8_t* choices = nullptr;  // (places, vocabulary): what may stand there
    i64 places = 1;                    // the last one serves every later step
    double temperature = 1, top_p = 2;
    i64 top_k = 0;  // 0: all
};

// Draws by the inverse of the cumulative sum, in the order of the vocabulary.
class Drawer {
public:
    explicit Drawer(i64 vocabulary) : weights_(size_t(vocabulary)), order_(size_t(vocabulary)) {}

    // The token for `logits`; −1 where one is NaN.
    template <class Real>
    i64 draw(const Draws<Real>& draws, const Real* logits, const uint8_t* allowed, double uniform) {
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

    // Weights of zero for all but the likeliest; of equals the first goes before. Returns the sum.
    template <class Real> double keep_likeliest(const Draws<Real>& draws, double total) {
        const auto weight = [&](i64 v) -> double& { return weights_[size_t(v)]; };
        std::iota(order_.begin(), order_.end(), 0);
        std::stable_sort(order_.begin(), order_.end(),
                         [&](i64 a, i64 b) { return weight(a) > weight(b); });
        double kept = 0;
        i64 count = 0;
        for (i64 v : order_) {
            const bool beyond = (draws.top_k > 0 && count >= draws.top_k) || kept >= draws.top_p * total;
            if (beyond) weight(v) = 0;
            kept += weight(v), ++count;
        }
        return kept;
    }
};

// One run of generation, which several threads walk through together. They share the layers and the
// readout; the draw each does for itself, as that is sooner than telling the others.
template <class Real> class Generation {
    // The readout is in the precision of the weights: packed as they are.
    using P = std::conditional_t<std::is_same_v<Real, float>, F32, F64>;
    static constexpr i64 L = lanes<Real>;

public:
    Generation(const Draws<Real>& draws, i64 steps, i64 batch, i64 features)
        : draws_(draws), steps_(steps), batch_(batch),
          matrix_{false, 0, draws.bias ? 1 : -1, draws.vocabulary, features, 1, features, {0}},
          readout_(matrix_, false), row_(readout_.blocks * L) {
        const Real* parameters[] = {draws.readout, draws.bias};
        typename Packed<P>::Scratch scratch;
        for (i64 k = 0; k < readout_.panels(); ++k) readout_.pack(k, parameters, scratch);
        for (auto& logits : logits_) logits.resize(size_t(batch * row_));
    }

    // A thread's part, from `tokens` on: fills `drawn`, (steps, batch), and returns the steps taken,
    // −1 where weights gave NaN. `step(tokens, x, row)` is the layers', and gives the output and its
    // rows' distance; x holds the tokens' embeddings.
    template <class Step>
    i64 run(int id, Team* team, std::vector<i64> tokens, std::vector<i64>& drawn, Step step) {
        const int threads = team ? team->size : 1;
        const i64 width = draws_.width, panels = readout_.panels();
        const i64 first = panels * id / threads * readout_.per_panel;
        const i64 last = std::min(readout_.blocks, panels * (id + 1) / threads * readout_.per_panel);
        std::vector<Real> x(size_t(batch_ * width + L));
        std::vector<uint8_t> ended(size_t(batch_), 0);
        Drawer drawer(draws_.vocabulary);
        for (i64 t = 0; t < steps_; ++t) {
            for (i64 b = 0; b < batch_; ++b)
                std::copy_n(draws_.embedding + tokens[size_t(b)] * width, width, x.data() + b * width);
            i64 row = width;
            const Real* y = step(tokens.data(), x.data(), row);
            // In turns: a thread may be a step ahead of one that still draws.
            Real* logits = logits_[t & 1].data();
            if (last > first)
                readout_.multiply(y, row, batch_, logits + first * L, row_, L, first, last, false,
                                  nullptr);
            if (team) team->barrier(id);
            if (!draw(drawer, t, logits, tokens, ended)) return -1;
            drawn.insert(drawn.end(), tokens.begin(), tokens.end());
            if (std::all_of(ended.begin(), ended.end(), [](uint8_t e) { return e; })) return t + 1;
        }
        return steps_;
    }

private:
    const Draws<Real>& draws_;
    i64 steps_, batch_;
    Matrix matrix_;
    Packed<P> readout_;
    i64 row_;
    std::vector<Real> logits_[2];

    bool draw(Drawer& drawer, i64 t, const Real* logits, std::vector<i64>& tokens,
              std::vector<uint8_t>& ended) const {
        const uint8_t* allowed = draws_.choices + std::min(t, draws_.places - 1) * draws_.vocabulary;
        for (size_t b = 0; b < tokens.size(); ++b) {
            const double uniform = draws_.uniforms[t * batch_ + i64(b)];
            tokens[b] = drawer.draw(draws_, logits + i64(b) * row_, allowed, uniform);
            if (tokens[b] < 0) return false;
            ended[b] |= tokens[b] == draws_.end;
        }
        return true;
    }
};

}  // namespace sluice::SLUICE_ISA
