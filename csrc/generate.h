// Generating tokens from a stack of layers: embedding, layers, readout, sampling, and again.
#pragma once

#include <cmath>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <string>

#include "matrix.h"
#include "pool.h"

namespace sluice::SLUICE_ISA {

// What turns tokens into inputs and outputs into logits; the arrays are the caller's.
template <class Real> struct Vocabulary {
    i64 size = 0, width = 0;          // tokens; numbers of an embedding
    i64 given = 0;                    // numbers that the caller gives at each step, before these
    const Real* embedding = nullptr;  // (size, width)
    const Real* readout = nullptr;    // (size, features)
    const Real* bias = nullptr;       // (size), or null
};

// Which tokens are kept of a distribution, and how it is sharpened.
struct TokenFilter {
    double temperature = 1, top_p = 2, typical = 2;
    i64 top_k = 0;  // 0: all
};

// How tokens are sampled; the arrays are the caller's.
struct SamplingOptions {
    i64 steps = 0, end = 0;
    const double* uniforms = nullptr;  // (steps, batch), in [0, 1)
    const uint8_t* choices = nullptr;  // (positions, 1 or batch, vocabulary): what may be sampled
    const void* given = nullptr;       // (steps, batch, given), Real: read before the embedding
    i64 positions = 1;                 // the last one serves every later step
    bool per_sequence_choices = false;
    std::vector<TokenFilter> filters;  // one for all sequences, or one each

    const TokenFilter& filter(i64 b) const { return filters[filters.size() > 1 ? size_t(b) : 0]; }
};

// Samples by the inverse of the cumulative sum, in the order of the vocabulary.
class Sampler {
public:
    explicit Sampler(i64 vocabulary)
        : weights_(size_t(vocabulary)), order_(size_t(vocabulary)), distances_(size_t(vocabulary)) {
    }

    // The token for `logits`; −1 where one is NaN.
    template <class Real>
    i64 sample(const TokenFilter& filter, const Real* logits, const uint8_t* allowed,
               double uniform) {
        const i64 size = i64(weights_.size());
        double largest = -INFINITY, total = 0;
        bool has_nan = false;
        for (i64 v = 0; v < size; ++v) {
            has_nan |= std::isnan(logits[v]);
            if (allowed[v]) largest = std::max(largest, double(logits[v]));
        }
        if (has_nan) return -1;
        for (i64 v = 0; v < size; ++v)
            total += weights_[size_t(v)] =
                allowed[v] ? std::exp((double(logits[v]) - largest) / filter.temperature) : 0;
        if (filter.top_k > 0 || filter.top_p < 1) total = keep_likeliest(filter, total);
        if (filter.typical < 1) total = keep_typical(filter, total);
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
    std::vector<double> distances_;

    // Stable: equal tokens stay in the vocabulary's order.
    template <class Before> void sort_order(Before before) {
        std::iota(order_.begin(), order_.end(), 0);
        std::stable_sort(order_.begin(), order_.end(), before);
    }

    // Keep the first `count` that together reach `mass`, set other weights to zero; returns the
    // sum.
    double keep_first(i64 count, double mass) {
        double kept = 0;
        for (i64 v : order_) {
            double& weight = weights_[size_t(v)];
            if (count-- <= 0 || kept >= mass) weight = 0;
            kept += weight;
        }
        return kept;
    }

    double keep_likeliest(const TokenFilter& filter, double total) {
        sort_order([&](i64 a, i64 b) { return weights_[size_t(a)] > weights_[size_t(b)]; });
        return keep_first(filter.top_k > 0 ? filter.top_k : i64(order_.size()),
                          filter.top_p * total);
    }

    // Keep the tokens whose information is nearest to the entropy (typical sampling).
    double keep_typical(const TokenFilter& filter, double total) {
        double entropy = 0;
        for (size_t v = 0; v < weights_.size(); ++v) {
            const double p = weights_[v] / total;
            distances_[v] = p > 0 ? -std::log(p) : INFINITY;
            if (p > 0) entropy += p * distances_[v];
        }
        for (double& distance : distances_) distance = std::abs(distance - entropy);
        sort_order([&](i64 a, i64 b) { return distances_[size_t(a)] < distances_[size_t(b)]; });
        return keep_first(i64(order_.size()), filter.typical * total);
    }
};

// A vocabulary with its readout packed; the same for streams of any number of sequences.
template <class Real> struct PackedVocabulary {
    // The readout keeps its own precision, whatever that of the layers.
    using P = std::conditional_t<std::is_same_v<Real, float>, F32, F64>;
    const Vocabulary<Real> vocabulary;
    const Matrix matrix;
    PackedMatrix<P> readout;

    PackedVocabulary(const Vocabulary<Real>& v, i64 features)
        : vocabulary(v),
          matrix{false, 0, v.bias ? 1 : -1, v.size, features, 1, features, {0}, {}},
          readout(matrix, false) {
        const Real* parameters[] = {v.readout, v.bias};
        typename PackedMatrix<P>::Scratch scratch;
        for (i64 k = 0; k < readout.panels(); ++k) readout.pack(k, parameters, scratch);
    }

    PackedVocabulary(const PackedVocabulary&) = delete;
};

// A vocabulary on top of layers, which several threads run together. They share the layers and the
// readout; each samples for itself, which is faster than telling the others what was sampled.
template <class Real> class TokenGenerator {
    static constexpr i64 L = lanes<Real>;

public:
    TokenGenerator(std::shared_ptr<const PackedVocabulary<Real>> packed, i64 capacity)
        : packed_(std::move(packed)), vocabulary_(packed_->vocabulary), readout_(packed_->readout),
          batch_(capacity), row_(readout_.blocks * L) {
        for (auto& logits : logits_) logits.resize(size_t(capacity * row_));
    }

    TokenGenerator(const TokenGenerator&) = delete;

    const std::shared_ptr<const PackedVocabulary<Real>>& packed() const { return packed_; }
    void set_batch(i64 rows) { batch_ = rows; }

    // What the layers read of each sequence, (batch, input_width): what is given, then the
    // token's embedding.
    void embed(const i64* tokens, const Real* given, Real* x) const {
        for (i64 b = 0; b < batch_; ++b, x += input_width()) {
            if (given) std::copy_n(given + b * vocabulary_.given, vocabulary_.given, x);
            std::copy_n(vocabulary_.embedding + tokens[b] * vocabulary_.width, vocabulary_.width,
                        x + vocabulary_.given);
        }
    }
    i64 input_width() const { return vocabulary_.given + vocabulary_.width; }
    i64 given() const { return vocabulary_.given; }
    std::vector<Real> make_embeddings() const {
        return std::vector<Real>(size_t(batch_ * input_width() + L));
    }
    // Reject tokens outside the vocabulary: they would be read from beyond the embedding.
    void check_tokens(const i64* tokens, i64 count) const {
        for (i64 k = 0; k < count; ++k)
            if (tokens[k] < 0 || tokens[k] >= vocabulary_.size)
                throw std::invalid_argument(
                    "expected tokens from 0 to " + std::to_string(vocabulary_.size - 1) + ", got " +
                    std::to_string(tokens[k]) + "; give tokens of the model's vocabulary");
    }
    i64 size() const { return vocabulary_.size; }

    // A thread's part of the logits of the layers' output y, into buffer 0 or 1.
    const Real* compute_logits(int id, Team* team, int buffer, const Real* y, i64 row) {
        const int threads = team ? team->size : 1;
        const i64 panels = readout_.panels();
        const i64 first = panels * id / threads * readout_.blocks_per_panel;
        const i64 last =
            std::min(readout_.blocks, panels * (id + 1) / threads * readout_.blocks_per_panel);
        Real* logits = logits_[buffer].data();
        if (last > first)
            readout_.multiply(y, row, batch_, logits + first * L, row_, L, first, last, false,
                              nullptr);
        if (team) team->barrier();
        return logits;
    }
    i64 row() const { return row_; }

    // A thread's part of generation from `tokens` on: fills `sampled`, (steps, batch), and returns
    // the steps taken: below 0 if the last of them gave NaN to a sequence, which samples −1.
    // `step(tokens, x, row)` runs the layers on embeddings x and returns the output; `row` becomes
    // the distance of its rows.
    template <class Step>
    i64 run(int id, Team* team, const SamplingOptions& options, std::vector<i64> tokens,
            std::vector<i64>& sampled, Step step) {
        std::vector<Real> x = make_embeddings();
        std::vector<uint8_t> ended(size_t(batch_), 0);
        Sampler sampler(vocabulary_.size);
        for (i64 t = 0; t < options.steps; ++t) {
            const Real* given = static_cast<const Real*>(options.given);
            if (given) given += t * batch_ * vocabulary_.given;
            embed(tokens.data(), given, x.data());
            i64 row = input_width();
            const Real* y = step(tokens.data(), x.data(), row);
            // Two buffers in turn: a thread may be a step ahead of one that still samples.
            const Real* logits = compute_logits(id, team, int(t & 1), y, row);
            const bool finite = sample(sampler, options, t, logits, tokens, ended);
            sampled.insert(sampled.end(), tokens.begin(), tokens.end());
            if (!finite) return -(t + 1);
            if (std::all_of(ended.begin(), ended.end(), [](uint8_t e) { return e; })) return t + 1;
        }
        return options.steps;
    }

private:
    const std::shared_ptr<const PackedVocabulary<Real>> packed_;
    const Vocabulary<Real>& vocabulary_;
    const PackedMatrix<typename PackedVocabulary<Real>::P>& readout_;
    i64 batch_, row_;
    std::vector<Real> logits_[2];

    // The next token of each sequence; false where one's logits are NaN.
    bool sample(Sampler& sampler, const SamplingOptions& options, i64 t, const Real* logits,
                std::vector<i64>& tokens, std::vector<uint8_t>& ended) const {
        const i64 position = std::min(t, options.positions - 1);
        bool finite = true;
        for (i64 b = 0; b < batch_; ++b) {
            const i64 which = options.per_sequence_choices ? position * batch_ + b : position;
            i64& token = tokens[size_t(b)];
            token = sampler.sample(options.filter(b), logits + b * row_,
                                   options.choices + which * vocabulary_.size,
                                   options.uniforms[t * batch_ + b]);
            finite &= token >= 0;
            ended[size_t(b)] |= token == options.end;
        }
        return finite;
    }
};

}  // namespace sluice::SLUICE_ISA
