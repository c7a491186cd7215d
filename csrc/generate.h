// Tokens from a stack of layers: embedding, layers, readout, a draw, and again.
#pragma once

#include <cmath>
#include <numeric>

#include "step.h"

namespace sluice::SLUICE_ISA {

// How tokens are drawn, and with what; the arrays are the caller's.
template <class Real> struct Draws {
    i64 vocabulary = 0, embedding_width = 0, end = 0;
    const Real *embedding = nullptr, *readout = nullptr, *bias = nullptr;
    const double* uniforms = nullptr;  // (steps, batch), in [0, 1)
    const uint8_t* choices = nullptr;  // (places, vocabulary): what may stand there
    i64 places = 1, place = 0;         // the first step's place; the last place's go on
    double temperature = 1, top_p = 2;
    i64 top_k = 0;                     // 0: all
};

// The sum of products, in as many partial sums as there are lanes: the same for every batch.
template <class Real> static Real dot(const Real* a, const Real* b, i64 n) {
    constexpr i64 L = lanes<Real>;
    Real sums[L] = {};
    i64 k = 0;
    for (; k + L <= n; k += L)
        for (i64 l = 0; l < L; ++l) sums[l] += a[k + l] * b[k + l];
    for (i64 l = 0; k < n; ++k, ++l) sums[l] += a[k] * b[k];
    for (i64 half = L / 2; half > 0; half /= 2)
        for (i64 l = 0; l < half; ++l) sums[l] += sums[l + half];
    return sums[0];
}

// Draws by the inverse of the cumulative sum, the likeliest first.
class Drawer {
public:
    explicit Drawer(i64 vocabulary) : weights_(size_t(vocabulary)), order_(size_t(vocabulary)) {}

    // The token for `logits`; −1 where one is NaN.
    template <class Real>
    i64 draw(const Draws<Real>& draws, const std::vector<double>& logits, const uint8_t* allowed,
             double uniform) {
        double greatest = -INFINITY;
        for (size_t v = 0; v < logits.size(); ++v) {
            if (std::isnan(logits[v])) return -1;
            if (allowed[v]) greatest = std::max(greatest, logits[v]);
        }
        size_t count = 0;
        double total = 0;
        for (size_t v = 0; v < logits.size(); ++v) {
            if (!allowed[v]) continue;
            weights_[v] = std::exp((logits[v] - greatest) / draws.temperature);
            total += weights_[v];
            order_[count++] = v;
        }
        std::sort(order_.begin(), order_.begin() + long(count), [&](size_t a, size_t b) {
            return weights_[a] != weights_[b] ? weights_[a] > weights_[b] : a < b;
        });
        if (draws.top_k > 0) count = std::min(count, size_t(draws.top_k));
        double kept = 0;
        for (size_t k = 0; k < count; ++k) {
            if (kept >= draws.top_p * total) { count = k; break; }
            kept += weights_[order_[k]];
        }
        double left = uniform * kept;
        for (size_t k = 0; k + 1 < count; ++k) {
            left -= weights_[order_[k]];
            if (left < 0) return i64(order_[k]);
        }
        return i64(order_[count - 1]);
    }

private:
    std::vector<double> weights_;
    std::vector<size_t> order_;
};

// Draw up to `steps` tokens for each sequence, from `tokens` on, which are replaced; `drawn` is
// (steps, batch). Ends when every sequence has; returns the steps taken, −1 where weights give NaN.
template <class P, class Step>
i64 generate(const Draws<typename P::Real>& draws, i64 steps, i64 batch, i64* tokens, uint8_t* ended,
             i64* drawn, i64 width, Step step) {
    using Real = typename P::Real;
    std::vector<Real> x(size_t(batch * draws.embedding_width));
    std::vector<double> logits(size_t(draws.vocabulary));
    Drawer drawer(draws.vocabulary);
    for (i64 t = 0; t < steps; ++t) {
        for (i64 b = 0; b < batch; ++b)
            std::copy_n(draws.embedding + tokens[b] * draws.embedding_width, draws.embedding_width,
                        x.data() + b * draws.embedding_width);
        i64 row;
        const Real* y = step(x.data(), draws.embedding_width, row);
        const i64 place = std::min(draws.place + t, draws.places - 1);
        i64 going = 0;
        for (i64 b = 0; b < batch; ++b) {
            for (i64 v = 0; v < draws.vocabulary; ++v)
                logits[size_t(v)] = double(dot(draws.readout + v * width, y + b * row, width)) +
                                    (draws.bias ? double(draws.bias[v]) : 0.0);
            tokens[b] = drawer.draw(draws, logits, draws.choices + place * draws.vocabulary,
                                    draws.uniforms[t * batch + b]);
            if (tokens[b] < 0) return -1;
            drawn[t * batch + b] = tokens[b];
            ended[b] |= tokens[b] == draws.end;
            going += !ended[b];
        }
        if (going == 0) return t + 1;
    }
    return steps;
}

}  // namespace sluice::SLUICE_ISA
