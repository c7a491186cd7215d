// A cell's program: buffers, matrices, products and phases. Read once, checked, never changed.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "vector.h"

namespace sluice::SLUICE_ISA {

// What a buffer has rows for: each step and sequence, those of a chunk of steps, each sequence, or
// none.
enum class Scope : i64 { time, chunk, step, constant };

enum class Role : i64 {
    scratch,
    input,
    previous,
    next,
    tape,
    mask,
    parameters,
    statistics,
    hoisted_statistics,
    state_gradient,
    previous_state_gradient,
    output_gradient,
    deltas,
    weight_operand,
    row_gradients,
    row_sums,
    row_means,
    input_gradient,
    tile,
    recorded,
    mapped_rows
};
constexpr size_t role_count = size_t(Role::mapped_rows) + 1;

// An array of rows; a row is `blocks` × `items` × lanes numbers, or `items` scalars.
struct Buffer {
    Scope scope;
    Role role;
    i64 index, width, items;
    i64 blocks = 0, row = 0, block = 0;  // row, block: distances in numbers

    bool holds_statistics() const {
        return role == Role::statistics || role == Role::hoisted_statistics;
    }
    // Whether its rows hold single numbers in place of vectors.
    bool holds_scalars() const { return holds_statistics() || role == Role::row_means; }
    // Whether it keeps, for a chunk of steps, what depends on the input alone.
    bool is_hoisted() const {
        return (scope == Scope::chunk && role == Role::scratch) || role == Role::hoisted_statistics;
    }
};

// Weights as a product needs them: which rows of which parameter, and how they are laid out.
struct Matrix {
    bool transposed;
    i64 weight, bias;         // indices of parameters; -1: none
    i64 width, inner, heads;  // units of the result, of the operand (of a gate when transposed)
    i64 columns;              // of the weight as it is stored
    std::vector<i64> starts;  // the first row of each gate
    std::vector<i64> bias_starts;  // the first bias of each, -1 for none; empty: as the rows
    // Which bias a row of the weight has; -1: none.
    i64 bias_of(i64 row) const {
        if (bias < 0 || row < 0 || bias_starts.empty()) return bias < 0 ? -1 : row;
        for (size_t g = 0; g < starts.size(); ++g)
            if (bias_starts[g] >= 0 && row >= starts[g] && row < starts[g] + width)
                return bias_starts[g] + row - starts[g];
        return -1;
    }
    i64 gates() const { return i64(starts.size()); }
    i64 results() const { return transposed ? 1 : gates(); }
};

struct Product {
    i64 matrix, operand, target, item;
    bool accumulate;
};

struct NormStatistics {
    std::vector<i64> buffers, items;
    i64 target, item, units;
    double epsilon;
};

struct RowMean {
    i64 source, item, target, target_item, units;
};

enum class RowOperationKind : i64 {
    sum,
    sum_tiles,
    repeat,
    tile,
    maximum,
    maximum_share,
    cumulative_sum,
    reverse_cumulative_sum
};

// A row map (row_maps.h). Of each group the longer side is `times` parts of `inner` units, and the
// shorter one part; where both sides are as long, `inner` is 1.
struct RowOperation {
    RowOperationKind kind;
    i64 source, item, target, target_item;
    i64 groups, times, inner;

    bool is_copy() const {
        return kind == RowOperationKind::repeat || kind == RowOperationKind::tile;
    }
    bool is_reduction() const {
        return kind == RowOperationKind::sum || kind == RowOperationKind::sum_tiles ||
               kind == RowOperationKind::maximum;
    }
    bool has_inner() const {
        return kind == RowOperationKind::sum_tiles || kind == RowOperationKind::tile;
    }
    i64 units() const { return groups * inner * (is_copy() ? 1 : times); }
    i64 results() const { return groups * inner * (is_reduction() ? 1 : times); }
};

// Where a body reads or writes one value; the kinds are explained in codegen/body.py.
enum class AccessKind : i64 { load, parameter, scalar, store, add_row, add_block, broadcast };

struct Access {
    AccessKind kind;
    i64 slot, item;
    bool optional;
};

using BodyFunction = void (*)(i64 rows, i64 blocks, const void* slots);

// Compiled elementwise code, and all that it accesses.
struct Body {
    BodyFunction function;
    std::vector<Access> accesses;
};

struct Phase {
    i64 width;
    std::vector<NormStatistics> statistics;
    std::vector<RowMean> means;
    std::vector<RowOperation> row_operations;
    std::vector<Product> products;
    i64 body;                  // index of a body; -1: products alone
    std::vector<i64> buffers;  // of each slot of the body
};

struct WeightGradient {
    i64 parameter, columns, heads, width;
    std::vector<i64> starts;
    i64 deltas, operand;
};

// A row of sums that is added to a parameter's gradient.
struct RowGradient {
    i64 parameter, start, width, buffer, item;
};

// A per-unit parameter's copy in a buffer; of parameter -1 the number `start` where a unit is. 0 in
// the padding.
struct UnitParameter {
    i64 parameter, start, buffer, item;
};

struct Program {
    i64 lanes = 0, input_width = 0;
    // `state_widths`: of `carried` states, then of values that are given out and carried nowhere.
    std::vector<i64> parameter_sizes, state_widths, mask_widths;
    i64 carried = 0;
    std::vector<i64> outputs;  // which of them make up the output, side by side
    std::vector<Body> bodies;
    std::vector<Buffer> buffers;
    std::vector<Matrix> matrices;
    std::vector<Phase> hoisted, forward, backward;
    std::vector<Product> deferred;
    std::vector<WeightGradient> weight_gradients;
    std::vector<RowGradient> row_gradients;
    std::vector<UnitParameter> unit_parameters;

    // Derived from the above by `index`.
    bool hoisted_reads_input = false, forward_reads_input = false;
    std::vector<uint8_t> is_hoisted_mask;  // by buffer: a mask that hoisted phases read
    // Products or norms, of any phase, read rows of what hoisted phases write.
    bool hoisted_needs_rows = false;
    // Of each parameter: whether its weights' gradients, each computed once, make up all of its own.
    std::vector<uint8_t> has_whole_gradient;
    // Backward bodies write a part of the input's gradient, to which products add.
    bool bodies_write_input_gradient = false;
    size_t max_slots = 0;
    i64 max_mapped_units = 0;  // of the longest row that a row operation reads
    i64 backward_blocks = 1;  // of the widest backward phase

    // `bodies`: the address of each, and its accesses as (kind, slot, item, optional).
    using BodyWords = std::vector<std::pair<i64, std::vector<i64>>>;
    Program(const std::vector<i64>& words, const BodyWords& bodies, i64 lanes);

    const Buffer& buffer(i64 k) const { return buffers[size_t(k)]; }
    // Whether other items lie between those that a product writes.
    bool is_interleaved(const Product& p) const {
        return buffer(p.target).items != matrices[size_t(p.matrix)].results();
    }
    // The buffer of a role and index, or -1.
    i64 find(Role role, i64 index = 0) const {
        const auto& all = by_role_[size_t(role)];
        return size_t(index) < all.size() ? all[size_t(index)] : -1;
    }
    // Where the values of outputs[n] begin in a row of the output.
    i64 output_start(size_t n) const {
        i64 start = 0;
        for (size_t k = 0; k < n; ++k) start += state_widths[size_t(outputs[k])];
        return start;
    }
    i64 output_width() const { return output_start(outputs.size()); }
    std::vector<i64> output_widths() const {
        std::vector<i64> widths;
        for (i64 s : outputs) widths.push_back(state_widths[size_t(s)]);
        return widths;
    }
    // Which state the output array itself holds, where its rows need no padding; -1: none.
    i64 state_in_output() const {
        const bool alone = outputs.size() == 1;
        return alone && state_widths[size_t(outputs[0])] % lanes == 0 ? outputs[0] : -1;
    }
    i64 parameter_count() const { return i64(parameter_sizes.size()); }

private:
    std::vector<i64> by_role_[role_count];

    void index() {
        for (size_t k = buffers.size(); k-- > 0;) {
            auto& all = by_role_[size_t(buffers[k].role)];
            const size_t index = size_t(buffers[k].index);
            if (all.size() <= index) all.resize(index + 1, -1);
            all[index] = i64(k);
        }
        is_hoisted_mask.assign(buffers.size(), 0);
        for (const Phase& phase : hoisted)
            for (i64 k : phase.buffers)
                is_hoisted_mask[size_t(k)] |= buffer(k).role == Role::mask;
        const auto uses = [&](const std::vector<Phase>& phases, Role role) {
            const auto has_role = [&](i64 k) { return buffer(k).role == role; };
            return std::any_of(phases.begin(), phases.end(), [&](const Phase& phase) {
                return std::any_of(phase.buffers.begin(), phase.buffers.end(), has_role) ||
                       std::any_of(phase.statistics.begin(), phase.statistics.end(),
                                   [&](const NormStatistics& s) {
                                       return std::any_of(s.buffers.begin(), s.buffers.end(),
                                                          has_role);
                                   }) ||
                       std::any_of(phase.row_operations.begin(), phase.row_operations.end(),
                                   [&](const RowOperation& m) { return has_role(m.source); });
            });
        };
        for (const auto* phases : {&hoisted, &forward, &backward})
            for (const Phase& phase : *phases) {
                max_slots = std::max(max_slots, phase.buffers.size());
                for (const NormStatistics& s : phase.statistics)
                    for (i64 k : s.buffers) hoisted_needs_rows |= buffer(k).is_hoisted();
                for (const Product& p : phase.products)
                    hoisted_needs_rows |= buffer(p.operand).is_hoisted();
                for (const RowOperation& m : phase.row_operations) {
                    hoisted_needs_rows |= buffer(m.source).is_hoisted();
                    max_mapped_units = std::max(max_mapped_units, m.units());
                }
                if (phase.body < 0) continue;
                for (const Access& access : bodies[size_t(phase.body)].accesses)
                    hoisted_needs_rows |= access.kind == AccessKind::broadcast &&
                                          buffer(phase.buffers[size_t(access.slot)]).is_hoisted();
            }
        for (const Phase& phase : backward)
            backward_blocks = std::max(backward_blocks, (phase.width + lanes - 1) / lanes);
        hoisted_reads_input = uses(hoisted, Role::input);
        forward_reads_input = uses(forward, Role::input);
        bodies_write_input_gradient = uses(backward, Role::input_gradient);
        for (size_t k = 0; k < parameter_sizes.size(); ++k)
            has_whole_gradient.push_back(is_covered_once(i64(k)));
    }
    bool is_covered_once(i64 parameter) const {
        std::vector<std::pair<i64, i64>> ranges;  // of the parameter's numbers
        for (const WeightGradient& w : weight_gradients)
            for (i64 start : w.starts)
                if (w.parameter == parameter)
                    ranges.push_back({start * w.columns, (start + w.width) * w.columns});
        std::sort(ranges.begin(), ranges.end());
        i64 end = 0;
        for (const auto& [from, to] : ranges) {
            if (from != end) return false;
            end = to;
        }
        return end == parameter_sizes[size_t(parameter)];
    }
};

}  // namespace sluice::SLUICE_ISA
