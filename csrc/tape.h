// What is kept of every step of a pass.
#pragma once

#include "memory.h"
#include "program.h"
#include "sections.h"

namespace sluice::SLUICE_ISA {

// Of a forward pass what backpropagation needs (states, named values, statistics); of a backward
// pass the gradients that someone records.
template <class Real> struct Tape {
    i64 steps, batch;
    AlignedBlock memory;
    std::vector<Real*> base;  // of each buffer; null where the tape has none
    std::vector<i64> sizes;   // how many numbers of each buffer are kept

    static Tape of_values(const Program& program, i64 t, i64 b) {
        const i64 in_output = program.state_in_output();
        return Tape(program, t, b, [=](const Buffer& p) { return keeps(p, in_output); });
    }
    static Tape of_gradients(const Program& program, i64 t, i64 b) {
        return Tape(program, t, b, [](const Buffer& p) { return p.role == Role::recorded; });
    }
    // One of values in the caller's memory, `bytes` at `to`: a row for each step and sequence, and
    // one more, since whole vectors are read a little beyond the end.
    static Tape of_values_at(const Program& program, i64 t, i64 b, void* to, i64 bytes) {
        const i64 in_output = program.state_in_output();
        const auto keep = [=](const Buffer& p) { return keeps(p, in_output); };
        const i64 rows = add_checked(multiply_checked(t, b), 1);
        const i64 needed = multiply_checked(rows, bytes_per_row(program));
        if (!to || bytes < needed || reinterpret_cast<std::uintptr_t>(to) % sizeof(Real))
            reject("a tape", std::to_string(needed) + " aligned bytes", to ? bytes : 0);
        Tape made(program, t, b, keep, nullptr);
        made.place(static_cast<Real*>(to));
        return made;
    }
    static i64 bytes_per_row(const Program& program) {
        i64 width = 0;
        for (const Buffer& p : program.buffers)
            if (keeps(p, program.state_in_output())) width = add_checked(width, round_up(p.row, 16));
        return multiply_checked(std::max<i64>(width, margin), sizeof(Real));
    }

    // Whether it holds `p`'s rows of all steps, p being buffer k of a program.
    bool holds(size_t k, const Buffer& p) const {
        return k < base.size() && base[k] && sizes[k] >= multiply_checked(steps, batch, p.row);
    }
    // Whether it was left by a forward pass of this program, or of one with the same buffers.
    bool fits(const Program& program, i64 t, i64 b) const {
        if (steps != t || batch != b || base.size() != program.buffers.size()) return false;
        for (size_t k = 0; k < base.size(); ++k)
            if (holds(k, program.buffers[k]) != keeps(program.buffers[k], program.state_in_output()))
                return false;
        return true;
    }

private:
    // `in_output`: the state that the output array holds in place of the tape.
    static bool keeps(const Buffer& p, i64 in_output) {
        return p.role == Role::tape || p.holds_statistics() ||
               (p.role == Role::next && p.index != in_output);
    }

    static constexpr i64 margin = 64;  // numbers that may be read beyond the end

    template <class Keep>
    Tape(const Program& program, i64 t, i64 b, Keep keep)
        : Tape(program, t, b, keep, nullptr) {
        i64 total = margin;
        for (const i64 size : sizes) total = add_checked(total, size);
        memory = AlignedBlock(size_t(multiply_checked(total, sizeof(Real))));
        place(reinterpret_cast<Real*>(memory.data()));
    }
    // Without memory as yet.
    template <class Keep>
    Tape(const Program& program, i64 t, i64 b, Keep keep, std::nullptr_t)
        : steps(t), batch(b), base(program.buffers.size(), nullptr), sizes(base.size(), 0) {
        for (size_t k = 0; k < sizes.size(); ++k) {
            const Buffer& p = program.buffers[k];
            if (keep(p)) sizes[k] = multiply_checked(t, b, round_up(p.row, 16));
        }
    }
    void place(Real* at) {
        for (size_t k = 0; k < sizes.size(); ++k)
            if (sizes[k]) base[k] = at, at += sizes[k];
    }
};

}  // namespace sluice::SLUICE_ISA
