// Scores of additive attention, v · tanh(q + k) for each pair of a query and a key, and their
// gradients. Bodies compute one query against all keys; the pairs' hidden values are never stored.
#pragma once

#include <algorithm>
#include <limits>

#include "memory.h"
#include "pool.h"
#include "sections.h"
#include "states.h"

namespace sluice::SLUICE_ISA {

template <class Real> struct AttentionCall {
    i64 steps, batch, sources, width;
    int threads;
    BodyFunction body;
    const Real *queries, *keys, *vector;  // (steps, batch, width), (sources, batch, width), (width)
    const uint8_t* mask;                  // which keys are read (sources, batch); null for all

    // The section that both directions begin with; `body` is the address of compiled code.
    static AttentionCall read(SectionReader& in, i64 body) {
        AttentionCall c;
        if (body == 0) reject("attention", "a body", body);
        c.body = reinterpret_cast<BodyFunction>(body);
        in.read(1, "sizes", [&](Section& s) {
            c.steps = s.read("a number of queries", 1, max_width);
            c.batch = s.read("a number of sequences", 1, max_width);
            c.sources = s.read("a number of keys", 1, max_width);
            c.width = s.read("a width", 1, max_width);
            c.threads = int(s.read("a number of threads", 1, max_index));
        });
        in.read(2, "arrays", [&](Section& s) {
            c.queries = s.read_array<const Real>("queries", c.query_size());
            c.keys = s.read_array<const Real>("keys", c.key_size());
            c.vector = s.read_array<const Real>("a vector", c.width);
            c.mask = s.read_array<const uint8_t>("a mask", c.sources * c.batch, true);
        });
        return c;
    }
    i64 query_size() const { return multiply_checked(steps, batch, width); }
    i64 key_size() const { return multiply_checked(sources, batch, width); }
    i64 score_size() const { return multiply_checked(steps, batch, sources); }
    i64 blocks() const { return ceil_div(width, lanes<Real>); }
};

// What a thread keeps of one sequence: the keys that are read, block by block, padded with zeros.
template <class Real> class AttentionScratch {
public:
    static constexpr i64 L = lanes<Real>;
    Real *keys, *query, *vector, *rows, *of_keys, *of_query, *of_vector;
    std::vector<i64> read;  // the numbers of the keys that are read

    explicit AttentionScratch(const AttentionCall<Real>& call, i64 per_row) : call_(call) {
        const i64 width = call.blocks() * L, all = multiply_checked(call.sources, width);
        keys = arena_.allocate_reals(all), of_keys = arena_.allocate_reals(all);
        query = arena_.allocate_reals(width), of_query = arena_.allocate_reals(width);
        vector = arena_.allocate_reals(width), of_vector = arena_.allocate_reals(width);
        rows = arena_.allocate_reals(call.sources, per_row);
        copy_padded(vector, call.vector, call.width, width);
    }

    // Blocks `first` to `first + count` of the keys of sequence b.
    void load_keys(i64 b, i64 first, i64 count) {
        if (b != sequence_) {
            sequence_ = b, read.clear();
            for (i64 s = 0; s < call_.sources; ++s)
                if (!call_.mask || call_.mask[s * call_.batch + b]) read.push_back(s);
        }
        for (i64 k = 0; k < count; ++k)
            for (i64 r = 0; r < row_count(); ++r)
                copy_block(row(call_.keys, read[size_t(r)], b), first + k, block(keys, k, r));
    }
    void load_query(i64 t, i64 b, i64 first, i64 count) {
        for (i64 k = 0; k < count; ++k)
            copy_block(row(call_.queries, t, b), first + k, query + k * L);
    }
    i64 row_count() const { return i64(read.size()); }
    Real* block(Real* keys, i64 k, i64 r) const { return keys + (k * row_count() + r) * L; }
    template <class T> T* row(T* all, i64 step, i64 b) const {
        return all + (step * call_.batch + b) * call_.width;
    }

    // One block of a row of the caller's, and back.
    void copy_block(const Real* from, i64 k, Real* to) const {
        copy_padded(to, from + k * L, std::min(L, call_.width - k * L), L);
    }
    void store_block(const Real* from, i64 k, Real* to) const {
        std::copy_n(from, std::min(L, call_.width - k * L), to + k * L);
    }

private:
    const AttentionCall<Real>& call_;
    Arena<Real> arena_;
    i64 sequence_ = -1;
};

// Every item of each sequence once, shared by the threads. work(scratch, b, part): `part` is one
// of `parts`.
template <class Real, class F>
void share_attention(const AttentionCall<Real>& call, i64 parts, i64 per_row, F&& work) {
    const i64 items = call.batch * parts, threads = std::min(i64(call.threads), items);
    std::vector<i64> ends;
    for (i64 k = 1; k <= threads; ++k) ends.push_back(items * k / threads);
    share_work(ends, [&](auto next) {
        i64 item = next();
        if (item < 0) return;
        AttentionScratch<Real> scratch(call, per_row);
        for (; item >= 0; item = next()) work(scratch, item / parts, item % parts);
    });
}

// How many parts each sequence has, at most `limit`, so that all threads have work.
template <class Real> i64 attention_parts(const AttentionCall<Real>& call, i64 limit) {
    if (call.threads == 1) return 1;
    return std::clamp(ceil_div(4 * i64(call.threads), call.batch), i64(1), limit);
}

// scores (steps, batch, sources); −∞ for keys that are not read.
template <class Real> void compute_scores(const AttentionCall<Real>& call, Real* scores) {
    constexpr i64 L = lanes<Real>;
    const i64 parts = attention_parts(call, call.steps), blocks = call.blocks();
    share_attention(call, parts, L, [&](AttentionScratch<Real>& at, i64 b, i64 part) {
        at.load_keys(b, 0, blocks);
        const i64 count = at.row_count();
        for (i64 t = call.steps * part / parts; t < call.steps * (part + 1) / parts; ++t) {
            at.load_query(t, b, 0, blocks);
            std::fill_n(at.rows, count * L, Real(0));
            const Slot<Real> slots[] = {
                {at.query, 0, L}, {at.keys, L, count * L}, {at.vector, 0, L}, {at.rows, L, 0}};
            call.body(count, blocks, slots);
            Real* out = scores + (t * call.batch + b) * call.sources;
            if (call.mask)
                std::fill_n(out, call.sources, -std::numeric_limits<Real>::infinity());
            for (i64 r = 0; r < count; ++r) {
                Real* sums = at.rows + r * L;
#pragma GCC unroll 8
                for (i64 half = L / 2; half > 0; half /= 2)
                    for (i64 l = 0; l < half; ++l) sums[l] += sums[l + half];
                out[at.read[size_t(r)]] = sums[0];
            }
        }
    });
}

// The gradients of queries and keys, and that of the vector for each sequence (batch, width).
template <class Real> struct AttentionGradients {
    const Real* of_scores;
    Real *of_queries, *of_keys, *of_vector;

    void run(const AttentionCall<Real>& call) const {
        const i64 blocks = call.blocks(), parts = attention_parts(call, blocks);
        std::fill_n(of_keys, call.key_size(), Real(0));
        share_attention(call, parts, 1, [&](AttentionScratch<Real>& at, i64 b, i64 part) {
            const i64 first = blocks * part / parts;
            run_part(call, at, b, first, blocks * (part + 1) / parts - first);
        });
    }

private:
    static constexpr i64 L = lanes<Real>;

    // The part of blocks `first` to `first + blocks` of sequence b: sums over all pairs.
    void run_part(const AttentionCall<Real>& call, AttentionScratch<Real>& at, i64 b, i64 first,
                  i64 blocks) const {
        at.load_keys(b, first, blocks);
        const i64 count = at.row_count();
        std::fill_n(at.of_keys, count * blocks * L, Real(0));
        std::fill_n(at.of_vector, blocks * L, Real(0));
        for (i64 t = 0; t < call.steps; ++t) {
            at.load_query(t, b, first, blocks);
            std::fill_n(at.of_query, blocks * L, Real(0));
            const Real* upstream = of_scores + (t * call.batch + b) * call.sources;
            for (i64 r = 0; r < count; ++r) at.rows[r] = upstream[at.read[size_t(r)]];
            const Slot<Real> slots[] = {
                {at.query, 0, L},          {at.keys, L, count * L},
                {at.vector + first * L, 0, L}, {at.rows, 1, 0},
                {at.of_keys, L, count * L}, {at.of_query, 0, L},
                {at.of_vector, 0, L}};
            call.body(count, blocks, slots);
            for (i64 k = 0; k < blocks; ++k)
                at.store_block(at.of_query + k * L, first + k, at.row(of_queries, t, b));
        }
        for (i64 k = 0; k < blocks; ++k) {
            at.store_block(at.of_vector + k * L, first + k, of_vector + b * call.width);
            for (i64 r = 0; r < count; ++r)
                at.store_block(at.block(at.of_keys, k, r), first + k,
                               at.row(of_keys, at.read[size_t(r)], b));
        }
    }
};

}  // namespace sluice::SLUICE_ISA
