// The arguments of one pass over time, and how its sequences lie in time.
#pragma once

#include <vector>

#include "vector.h"

namespace sluice::SLUICE_ISA {

// Rows of numbers by step and sequence. `origin` is what the first row's step and sequence come to,
// so that `base` stays the address of that row, inside its allocation.
template <class T> struct RowView {
    T* base = nullptr;
    i64 time = 0, row = 0;  // distances of steps and of sequences
    i64 origin = 0;
    T* at(i64 t, i64 r) const { return base + (t * time + r * row - origin); }
};

// What a pass over time reads and writes; arrays are (time, batch, width) without padding, and the
// caller's.
template <class Real> struct Call {
    i64 steps = 0, batch = 0;
    int threads = 1;
    bool reverse = false;
    const Real* x = nullptr;
    std::vector<const Real*> initial_states;  // (batch, width); null for zeros
    std::vector<const Real*> restart_states;  // (width)
    std::vector<RowView<Real>> masks;                         // rows padded to whole blocks
    const i64* lengths = nullptr;                             // descending, or null
    const uint8_t* resets = nullptr;  // (time, batch), in the direction's own sense, or null
    Real* y = nullptr;
    std::vector<Real*> final_states;  // (batch, width); null where nobody asks
    // Of a backward pass; where null, a gradient that comes in is zero and one asked for is not.
    const Real* output_gradient = nullptr;
    std::vector<const Real*> final_state_gradients;
    Real* x_gradient = nullptr;
    std::vector<Real*> initial_state_gradients, restart_state_gradients, parameter_gradients;

    i64 first_step(i64 b) const { return reverse ? length(b) - 1 : 0; }
    i64 last_step(i64 b) const { return reverse ? 0 : length(b) - 1; }
    i64 length(i64 b) const { return lengths ? lengths[b] : steps; }
    // How many sequences (the longest come first) have a step t.
    i64 active_sequences(i64 t) const {
        if (!lengths) return batch;
        i64 low = 0, high = batch;
        while (low < high) {
            const i64 middle = (low + high) / 2;
            if (lengths[middle] > t) low = middle + 1;
            else high = middle;
        }
        return low;
    }
    bool is_reset(i64 t, i64 b) const { return resets && resets[t * batch + b]; }
};

}  // namespace sluice::SLUICE_ISA
