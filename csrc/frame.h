// One thread's view of a pass: where places lie, and how a phase runs on its rows and blocks.
#pragma once

#include <cmath>

#include "call.h"

namespace sluice::SLUICE_ISA {

// What a body is given for each of its slots.
template <class Real> struct Slot {
    Real* base;
    i64 row, block;
};

// Where a place lies now: its row of step t and sequence r is at base + t·time + r·row.
template <class Real> struct Bound {
    Real* base = nullptr;
    i64 time = 0, row = 0, block = 0;
    Real* at(i64 t, i64 r) const { return base + t * time + r * row; }
};

// Whether threads can share a step's units: each has panels, and nothing is summed over units.
template <class Real> bool splits_by_units(const Program& program, int threads) {
    if (program.has_norms) return false;
    for (i64 width : program.state_widths)
        if (ceil_div(width, 4 * lanes<Real>) < threads) return false;
    return true;
}

constexpr i64 tile_rows = 48, most_slots = 64;

template <class P> struct Frame {
    using Real = typename P::Real;
    using A = typename P::A;
    static constexpr i64 L = lanes<Real>;

    const Kernel<P>& kernel;
    const Program& program;
    const Call<Real>& call;
    int id, threads;
    bool by_units;
    i64 row0, row1;
    std::vector<Bound<Real>> bound;
    std::vector<Real*> tiles;       // by matrix
    std::vector<Strided<A>> operands;  // converted operands, by matrix
    std::vector<Real*> scales;      // of the operands' rows, by matrix (int8)
    std::vector<Real*> patched;     // by state: previous states where some rows begin anew

    Frame(const Kernel<P>& k, const Call<Real>& c, int thread, int of, bool units)
        : kernel(k), program(k.program), call(c), id(thread), threads(of), by_units(units),
          row0(units ? 0 : c.batch * thread / of), row1(units ? c.batch : c.batch * (thread + 1) / of),
          bound(program.places.size()), tiles(program.matrices.size()),
          operands(program.matrices.size()), scales(program.matrices.size()),
          patched(program.state_widths.size()) {}

    i64 rows() const { return row1 - row0; }
    const Place& place(i64 k) const { return program.places[size_t(k)]; }
    Bound<Real>& where(i64 k) { return bound[size_t(k)]; }

    // The blocks of a width that are this thread's; panels of four stay whole.
    void range(i64 width, i64& first, i64& last) const {
        const i64 blocks = ceil_div(width, L);
        first = 0, last = blocks;
        if (!by_units) return;
        const i64 panels = ceil_div(blocks, 4);
        first = std::min(blocks, panels * id / threads * 4);
        last = std::min(blocks, panels * (id + 1) / threads * 4);
    }

    void bind(i64 k, Real* base, i64 time_rows) {
        const Place& p = place(k);
        const i64 row = p.scope == Scope::constant ? 0 : p.row;
        bound[size_t(k)] = {base, time_rows * row, row, p.block};
    }

    void run(const Phase& phase, i64 t, i64 r0, i64 r1) {
        if (r1 <= r0) return;
        for (const Statistics& s : phase.statistics) statistics(s, t, r0, r1);
        for (const RowMean& m : phase.means) mean(m, t, r0, r1);
        for (const Product& p : phase.products) ready(p, t, r0, r1);
        i64 first, last;
        range(phase.width, first, last);
        if (!phase.body) {
            for (const Product& p : phase.products) direct(p, t, r0, r1, first, last);
        } else if (phase.products.empty()) {
            constexpr i64 group = 4;
            for (i64 r = r0; r < r1; r += group)
                body(phase, t, r, std::min(group, r1 - r), first, last, 0);
        } else {
            i64 together = 1;
            for (const Product& p : phase.products)
                together = std::max(together, kernel.matrices[size_t(p.matrix)]->per_panel);
            if (r1 - r0 < 12) together = std::max(together, ceil_div(16, (r1 - r0) * 4) * 4);
            for (i64 b = first; b < last; b += together)
                for (i64 r = r0; r < r1; r += tile_rows)
                    tile_and_body(phase, t, r, std::min(tile_rows, r1 - r), b,
                                  std::min(last, b + together), together);
        }
    }

    // A product of all these rows, straight to its target (rows of one step or a flat chunk).
    void direct(const Product& p, i64 t, i64 r0, i64 r1, i64 first, i64 last) {
        const auto& m = *kernel.matrices[size_t(p.matrix)];
        const Bound<Real>& to = bound[size_t(p.target)];
        for (i64 r = r0; r < r1; r += tile_rows)
            multiply(p, t, r, std::min(tile_rows, r1 - r), to.at(t, r) + first * to.block + p.item * L,
                     to.row, to.block, first, std::min(last, m.blocks));
    }

    void multiply(const Product& p, i64 t, i64 r, i64 n, Real* out, i64 ld, i64 out_block, i64 first,
                  i64 last) {
        const size_t k = size_t(p.matrix);
        const auto& m = *kernel.matrices[k];
        if constexpr (P::group == 1) {
            const Bound<Real>& from = bound[size_t(p.operand)];
            m.multiply(from.at(t, r), from.row, n, out, ld, out_block, first, last, p.accumulate,
                       nullptr);
        } else {
            const Strided<A>& from = operands[k];
            m.multiply(from.data + t * from.time + r * from.row, from.row, n, out, ld, out_block,
                       first, last, p.accumulate, scales[k] ? scales[k] + r : nullptr);
        }
    }

private:
    void tile_and_body(const Phase& phase, i64 t, i64 r, i64 n, i64 first, i64 last, i64 width) {
        for (const Product& p : phase.products) {
            const auto& m = *kernel.matrices[size_t(p.matrix)];
            const i64 block = m.results() * L;
            multiply(p, t, r, n, tiles[size_t(p.matrix)], width * block, block, first, last);
        }
        body(phase, t, r, n, first, last, width);
    }

    void body(const Phase& phase, i64 t, i64 r, i64 n, i64 first, i64 last, i64 width) {
        Slot<Real> slots[most_slots];
        size_t at = 0;
        for (i64 k : phase.places) {
            const Place& p = place(k);
            if (p.role == Role::tile) {
                const i64 block = p.items * L;
                slots[at++] = {tile_of(phase, k), width * block, block};
            } else {
                const Bound<Real>& b = bound[size_t(k)];
                Real* base = b.base ? b.at(t, r) + first * b.block : nullptr;
                slots[at++] = {base, b.row, b.block};
            }
        }
        phase.body(n, last - first, slots);
        for (i64 k : phase.places)
            if (place(k).role == Role::deltas && last == place(k).blocks) clean(k, t, r, r + n);
    }
    Real* tile_of(const Phase& phase, i64 k) const {
        for (const Product& p : phase.products)
            if (p.target == k) return tiles[size_t(p.matrix)];
        return nullptr;
    }

    // Bring a product's operand to the form in which it is multiplied.
    void ready(const Product& p, i64 t, i64 r0, i64 r1) {
        if constexpr (P::group > 1) {
            const size_t k = size_t(p.matrix);
            const Bound<Real>& from = bound[size_t(p.operand)];
            const i64 padded = kernel.matrices[k]->operand_length();
            const Place& source = place(p.operand);
            const i64 length = program.matrices[k].transposed ? source.row : source.width;
            for (i64 r = r0; r < r1; ++r) {
                A* to = operands[k].data + t * operands[k].time + r * operands[k].row;
                if constexpr (P::group == 2) {
                    to_bf16(to, from.at(t, r), length);
                    for (i64 i = length; i < padded; ++i) to[i] = 0;
                } else {
                    scales[k][r] = quantise_row(to, from.at(t, r), length, padded);
                }
            }
        }
    }

    // Deltas of units that are padding: nothing they hold may reach a product.
    void clean(i64 k, i64 t, i64 r0, i64 r1) {
        const Place& p = place(k);
        const i64 valid = p.width % L;
        if (valid == 0) return;
        for (i64 r = r0; r < r1; ++r) {
            Real* block = bound[size_t(k)].at(t, r) + (p.blocks - 1) * p.block;
            for (i64 item = 0; item < p.items; ++item)
                std::fill(block + item * L + valid, block + (item + 1) * L, Real(0));
        }
    }

    void statistics(const Statistics& s, i64 t, i64 r0, i64 r1) {
        for (i64 r = r0; r < r1; ++r) {
            const Real mean = sum(s, t, r, [](Real value) { return value; }) / Real(s.units);
            const Real spread = sum(s, t, r, [mean](Real v) { return (v - mean) * (v - mean); });
            Real* to = bound[size_t(s.target)].at(t, r) + s.item;
            to[0] = mean;
            to[1] = Real(1) / std::sqrt(spread / Real(s.units) + Real(s.epsilon));
        }
    }
    template <class F> Real sum(const Statistics& s, i64 t, i64 r, F term) const {
        Real sums[L] = {};
        for (size_t k = 0; k < s.places.size(); ++k) {
            const Place& p = place(s.places[k]);
            const Real* from = bound[size_t(s.places[k])].at(t, r) + s.items[k] * L;
            const i64 whole = p.width / L;
            for (i64 b = 0; b < whole; ++b)
                for (i64 l = 0; l < L; ++l) sums[l] += term(from[b * p.block + l]);
            for (i64 l = 0; l < p.width % L; ++l) sums[l] += term(from[whole * p.block + l]);
        }
        return total(sums);
    }
    void mean(const RowMean& m, i64 t, i64 r0, i64 r1) {
        for (i64 r = r0; r < r1; ++r)
            bound[size_t(m.target)].at(t, r)[m.target_item] =
                total(bound[size_t(m.source)].at(t, r) + m.item * L) / Real(m.units);
    }
    static Real total(const Real* lane) {
        Real half[L];
        for (i64 l = 0; l < L; ++l) half[l] = lane[l];
        for (i64 n = L / 2; n > 0; n /= 2)
            for (i64 l = 0; l < n; ++l) half[l] += half[l + n];
        return half[0];
    }
};

}  // namespace sluice::SLUICE_ISA
