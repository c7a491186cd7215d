// Runs phases on one thread's share of a pass: its sequences, or its units of all sequences.
#pragma once

#include <cmath>

#include "call.h"
#include "packed_weights.h"
#include "row_maps.h"

namespace sluice::SLUICE_ISA {

// What a body is given for each of its slots; codegen/llvm.py reads this layout.
template <class Real> struct Slot {
    Real* base;
    i64 row, block;
};

// Where a buffer's rows lie now. A null base is a tape that is not kept.
template <class Real> struct BufferView : RowView<Real> {
    i64 block = 0;  // distance of blocks
};

// An operand in the type in which it is multiplied, and the scales of its rows (int8): one below
// zero is of a row in bfloat16.
template <class P> struct ConvertedOperand {
    RowView<typename P::A> rows;
    RowView<typename P::Real> scales;
};

// Whether threads can share a step's units: each has panels. One number a row is one thread's.
template <class Real> bool can_share_units(const Program& program, int threads) {
    for (i64 width : program.state_widths)
        if (width > 1 && ceil_div(width, 4 * lanes<Real>) < threads) return false;
    return true;
}

constexpr i64 tile_rows = 48;

template <class P> struct PhaseRunner {
    using Real = typename P::Real;
    using A = typename P::A;
    static constexpr i64 L = lanes<Real>;

    const PackedWeights<P>& weights;
    const Program& program;
    const Call<Real>& call;
    int id, threads;
    bool shares_units;
    i64 row0, row1;                             // this thread's sequences
    std::vector<BufferView<Real>> views;        // by buffer
    std::vector<Real*> tiles;                   // by matrix
    std::vector<ConvertedOperand<P>> operands;  // by matrix
    std::vector<Real*> gathered_states;  // by state: rows from row0 on, where sequences begin
    i64 sum_blocks = 1;  // of a row's sums over units: as many as a row has, or all added in one

    PhaseRunner(const PackedWeights<P>& w, const Call<Real>& c, int thread, int thread_count,
                bool units)
        : weights(w), program(w.program), call(c), id(thread), threads(thread_count),
          shares_units(units), row0(units ? 0 : c.batch * thread / thread_count),
          row1(units ? c.batch : c.batch * (thread + 1) / thread_count),
          views(program.buffers.size()), tiles(program.matrices.size()),
          operands(program.matrices.size()), gathered_states(program.state_widths.size()),
          slots_(program.max_slots), mapped_row_(size_t(program.max_mapped_units)) {
        if (w.has_direct()) direct_memory_ = AlignedBlock(sizeof(DirectScratch));
    }

    i64 rows() const { return row1 - row0; }
    const Buffer& buffer(i64 k) const { return program.buffer(k); }
    BufferView<Real>& view(i64 k) { return views[size_t(k)]; }

    // The blocks of a width that are this thread's; panels of four stay whole.
    void block_range(i64 width, i64& first, i64& last) const {
        const i64 blocks = ceil_div(width, L);
        first = 0, last = blocks;
        if (!shares_units) return;
        const i64 panels = ceil_div(blocks, 4);
        first = std::min(blocks, panels * id / threads * 4);
        last = std::min(blocks, panels * (id + 1) / threads * 4);
    }
    // The same in units; the last block's padding is left out.
    void unit_range(i64 width, i64& first, i64& last) const {
        block_range(width, first, last);
        first = std::min(first * L, width), last = std::min(last * L, width);
    }

    // Buffer k's rows lie at `base`: that of step t0 and sequence r0, steps `time_rows` rows apart.
    void bind(i64 k, Real* base, i64 time_rows, i64 t0 = 0, i64 r0 = 0) {
        const Buffer& p = buffer(k);
        const i64 row = p.scope == Scope::constant ? 0 : p.row;
        view(k) = {{base, time_rows * row, row, (t0 * time_rows + r0) * row}, p.block};
    }

    // Row sums of a step, in memory for all sequences. Where threads share units, each has its own
    // sums, those of one thread after those of another.
    void bind_sums(i64 k, Real* memory) {
        const i64 row = sum_blocks * buffer(k).row, part = shares_units ? id * call.batch * row : 0;
        view(k) = {{memory + part, 0, row}, sum_blocks > 1 ? buffer(k).row : 0};
    }

    // Memory for what each thread computes for itself, of its sequences.
    void bind_own_rows(i64 k, Arena<Real>& arena) {
        bind(k, arena.allocate_reals(std::max<i64>(1, rows()), buffer(k).row), 0, 0, row0);
    }

    // A phase for sequences [r0, r1) of step t.
    void run(const Phase& phase, i64 t, i64 r0, i64 r1) {
        reduce_rows(phase, t, r0, r1);
        run_units(phase, t, r0, r1);
    }

    // What a phase needs of complete rows. Threads that share units all compute all of it: it takes
    // less than a meeting more.
    void reduce_rows(const Phase& phase, i64 t, i64 r0, i64 r1) {
        for (const NormStatistics& s : phase.statistics) compute_statistics(s, t, r0, r1);
        for (const RowMean& m : phase.means) compute_mean(m, t, r0, r1);
        for (const RowOperation& m : phase.row_operations) map_rows(m, t, r0, r1);
    }

    // The rest of a phase, for this thread's units.
    void run_units(const Phase& phase, i64 t, i64 r0, i64 r1) {
        if (r1 <= r0) return;
        // By every thread, even one without blocks here: weights' gradients read converted deltas.
        for (const Product& p : phase.products) convert_operand(p, t, r0, r1);
        i64 first, last;
        block_range(phase.width, first, last);
        if (last <= first) return;
        if (phase.body < 0) {
            for (const Product& p : phase.products) multiply_to_target(p, t, r0, r1, first, last);
        } else if (phase.products.empty()) {
            constexpr i64 group = 4;
            for (i64 r = r0; r < r1; r += group)
                run_body(phase, t, r, std::min(group, r1 - r), first, last, 0);
        } else {
            const i64 together = blocks_per_tile(phase, r1 - r0);
            const i64 limit = max_rows_of_tile(phase, r1 - r0);
            for (i64 b = first; b < last; b += together)
                for (i64 r = r0; r < r1; r += limit)
                    run_tile(phase, t, r, std::min(limit, r1 - r), b,
                             std::min(last, b + together), together);
        }
    }

    // How many of these rows are multiplied at once: all, where a panel is packed for them alone.
    i64 max_rows_of_tile(const Phase& phase, i64 rows) const {
        for (const Product& p : phase.products)
            if (weights.is_direct(p.matrix)) return std::max(rows, tile_rows);
        return tile_rows;
    }

    // A product of all these rows, straight to its target (rows of one step or a flat chunk).
    void multiply_to_target(const Product& p, i64 t, i64 r0, i64 r1, i64 first, i64 last) {
        last = std::min(last, weights.matrix(p.matrix).blocks);
        if (last <= first) return;
        const BufferView<Real>& to = view(p.target);
        const i64 limit = weights.is_direct(p.matrix) ? r1 - r0 : tile_rows;
        for (i64 r = r0; r < r1; r += limit)
            multiply(p, t, r, std::min(limit, r1 - r),
                     to.at(t, r) + first * to.block + p.item * L, to.row, to.block, first, last);
    }

private:
    using DirectScratch = typename PackedWeights<P>::DirectScratch;
    std::vector<Slot<Real>> slots_;  // of the body that runs
    std::vector<Real> mapped_row_;   // what a row operation reads, gathered
    AlignedBlock direct_memory_;

    i64 blocks_per_tile(const Phase& phase, i64 rows) const {
        i64 found = 1;
        for (const Product& p : phase.products)
            found = std::max(found, weights.matrix(p.matrix).blocks_per_panel);
        return rows < 12 ? std::max(found, ceil_div(16, rows * 4) * 4) : found;
    }

    void multiply(const Product& p, i64 t, i64 r, i64 n, Real* out, i64 ld, i64 out_block,
                  i64 first, i64 last) {
        auto* scratch = static_cast<DirectScratch*>(direct_memory_.data());
        if constexpr (P::group == 1) {
            const BufferView<Real>& from = view(p.operand);
            weights.multiply(p.matrix, from.at(t, r), from.row, n, out, ld, out_block, first, last,
                             p.accumulate, nullptr, scratch);
        } else {
            if constexpr (P::group == 4)
                if (const InputMatrix* input = weights.input_matrix(p.matrix))
                    return multiply_input(p, *input, t, r, n, out, ld, out_block, first, last);
            const auto& [from, scales] = operands[size_t(p.matrix)];
            weights.multiply(p.matrix, from.at(t, r), from.row, n, out, ld, out_block, first, last,
                             p.accumulate, scales.base ? scales.at(t, r) : nullptr, scratch);
        }
    }

    // Rows that follow each other in one type are multiplied together.
    void multiply_input(const Product& p, const InputMatrix& input, i64 t, i64 r, i64 n, Real* out,
                        i64 ld, i64 out_block, i64 first, i64 last) {
        const auto& [from, scales] = operands[size_t(p.matrix)];
        const Real* scale = scales.at(t, r);
        for (i64 k = 0, end; k < n; k = end) {
            for (end = k + 1; end < n && (scale[end] < 0) == (scale[k] < 0);) ++end;
            const A* rows = from.at(t, r + k);
            Real* to = out + k * ld;
            if (scale[k] < 0)
                input.matrix.multiply(reinterpret_cast<const uint16_t*>(rows), from.row / 2,
                                      end - k, to, ld, out_block, first, last, p.accumulate,
                                      nullptr);
            else
                weights.multiply(p.matrix, rows, from.row, end - k, to, ld, out_block, first, last,
                                 p.accumulate, scale + k, nullptr);
        }
    }

    void run_tile(const Phase& phase, i64 t, i64 r, i64 n, i64 first, i64 last, i64 width) {
        for (const Product& p : phase.products) {
            const i64 block = weights.matrix(p.matrix).results() * L;
            multiply(p, t, r, n, tiles[size_t(p.matrix)], width * block, block, first, last);
        }
        run_body(phase, t, r, n, first, last, width);
    }

    void run_body(const Phase& phase, i64 t, i64 r, i64 n, i64 first, i64 last, i64 width) {
        size_t slot = 0;
        for (i64 k : phase.buffers) {
            const Buffer& p = buffer(k);
            if (p.role == Role::tile) {
                const i64 block = p.items * L;
                slots_[slot++] = {find_tile(phase, k), width * block, block};
            } else {
                const BufferView<Real>& v = view(k);
                const i64 block = p.width == 1 ? 0 : v.block;  // all blocks read its only one
                slots_[slot++] = {v.base ? v.at(t, r) + first * block : nullptr, v.row, block};
            }
        }
        program.bodies[size_t(phase.body)].function(n, last - first, slots_.data());
        for (i64 k : phase.buffers)
            if (buffer(k).role == Role::deltas && last == buffer(k).blocks)
                zero_padding(k, t, r, r + n);
    }
    Real* find_tile(const Phase& phase, i64 k) const {
        for (const Product& p : phase.products)
            if (p.target == k) return tiles[size_t(p.matrix)];
        return nullptr;
    }

    // Bring a product's operand to the type in which it is multiplied.
    void convert_operand(const Product& p, i64 t, i64 r0, i64 r1) {
        if constexpr (P::group > 1) {
            const BufferView<Real>& from = view(p.operand);
            const i64 padded = weights.matrix(p.matrix).operand_length();
            const bool transposed = program.matrices[size_t(p.matrix)].transposed;
            const i64 length = transposed ? buffer(p.operand).row : buffer(p.operand).width;
            const auto& [to, scales] = operands[size_t(p.matrix)];
            for (i64 r = r0; r < r1; ++r) {
                A* row = to.at(t, r);
                if constexpr (P::group == 2) {
                    convert_to_bf16(row, from.at(t, r), length);
                    std::fill(row + length, row + padded, A(0));
                } else if (const InputMatrix* input = weights.input_matrix(p.matrix)) {
                    *scales.at(t, r) = input->convert(row, from.at(t, r), length, padded);
                } else {
                    *scales.at(t, r) = quantise_row(row, from.at(t, r), length, padded);
                }
            }
        }
    }

    // Deltas of units that are padding: nothing they hold may reach a product.
    void zero_padding(i64 k, i64 t, i64 r0, i64 r1) {
        const Buffer& p = buffer(k);
        const i64 valid = p.width % L;
        if (valid == 0) return;
        for (i64 r = r0; r < r1; ++r) {
            Real* block = view(k).at(t, r) + (p.blocks - 1) * p.block;
            for (i64 item = 0; item < p.items; ++item)
                std::fill(block + item * L + valid, block + (item + 1) * L, Real(0));
        }
    }

    void compute_statistics(const NormStatistics& s, i64 t, i64 r0, i64 r1) {
        for (i64 r = r0; r < r1; ++r) {
            const Real mean = sum(s, t, r, [](Real value) { return value; }) / Real(s.units);
            const Real spread = sum(s, t, r, [mean](Real v) { return (v - mean) * (v - mean); });
            Real* to = view(s.target).at(t, r) + s.item;
            to[0] = mean;
            to[1] = Real(1) / std::sqrt(spread / Real(s.units) + Real(s.epsilon));
        }
    }
    template <class F> Real sum(const NormStatistics& s, i64 t, i64 r, F term) {
        Real sums[L] = {};
        for (size_t k = 0; k < s.buffers.size(); ++k) {
            const Buffer& p = buffer(s.buffers[k]);
            const Real* from = view(s.buffers[k]).at(t, r) + s.items[k] * L;
            const i64 whole = p.width / L;
            for (i64 b = 0; b < whole; ++b)
                for (i64 l = 0; l < L; ++l) sums[l] += term(from[b * p.block + l]);
            for (i64 l = 0; l < p.width % L; ++l) sums[l] += term(from[whole * p.block + l]);
        }
        return sum_lanes(sums);
    }
    // A block's sum is one thread's, and zero in the sums of others: the order of the additions does
    // not depend on how many threads there are.
    void compute_mean(const RowMean& m, i64 t, i64 r0, i64 r1) {
        const BufferView<Real>& from = view(m.source);
        const i64 parts = shares_units ? threads : 1, part = call.batch * from.row;
        for (i64 r = r0; r < r1; ++r) {
            const Real* first = from.at(t, r) - (shares_units ? id * part : 0) + m.item * L;
            Real sums[L] = {};
            for (i64 b = 0; b < sum_blocks; ++b)
                for (i64 k = 0; k < parts; ++k)
                    for (i64 l = 0; l < L; ++l) sums[l] += first[k * part + b * from.block + l];
            view(m.target).at(t, r)[m.target_item] = sum_lanes(sums) / Real(m.units);
        }
    }
    void map_rows(const RowOperation& m, i64 t, i64 r0, i64 r1) {
        const i64 units = m.units();
        for (i64 r = r0; r < r1; ++r) {
            const BufferView<Real>& source = view(m.source);
            const Real* from = source.at(t, r) + m.item * L;
            if (source.block != L && units > L) {
                for (i64 u = 0; u < units; u += L)
                    std::copy_n(from + u / L * source.block, std::min(L, units - u),
                                mapped_row_.data() + u);
                from = mapped_row_.data();
            }
            map_row(m, from, view(m.target).at(t, r) + m.target_item);
        }
    }
};

}  // namespace sluice::SLUICE_ISA
