// Reads the arguments of a pass from the words that Python writes, and checks that they fit the
// program: sizes of all arrays, and the order of lengths.
#pragma once

#include "call.h"
#include "program.h"
#include "sections.h"

namespace sluice::SLUICE_ISA {

template <class Real> class CallReader {
public:
    CallReader(const std::vector<i64>& words, ListKind kind, const Program& program)
        : in_(words, kind, kind == ListKind::forward_call ? "a forward call" : "a backward call"),
          program_(program) {}

    Call<Real> read_forward() {
        read_common();
        in_.read(6, "final states",
                 [&](Section& s) { read_states(s, call_.final_states, call_.batch, true); });
        in_.finish();
        return std::move(call_);
    }
    Call<Real> read_backward() {
        read_common();
        Call<Real>& c = call_;
        in_.read(6, "incoming gradients", [&](Section& s) {
            c.output_gradient = s.read_array<const Real>("an output's gradient", y_size(), true);
            read_states(s, c.final_state_gradients, c.batch, true);
        });
        in_.read(7, "gradients of the input and the initial states", [&](Section& s) {
            c.x_gradient = s.read_array<Real>("an input's gradient", x_size(), true);
            read_states(s, c.initial_state_gradients, c.batch, true);
        });
        in_.read(8, "gradients of the restart states", [&](Section& s) {
            if (s.remaining() > 0) read_states(s, c.restart_state_gradients, 1);
        });
        in_.read(9, "gradients of the parameters", [&](Section& s) {
            for (i64 size : program_.parameter_sizes)
                c.parameter_gradients.push_back(
                    s.read_array<Real>("a parameter's gradient", size, true));
        });
        in_.finish();
        return std::move(call_);
    }

private:
    static constexpr i64 max_threads = 256, max_rows = i64(1) << 40;
    SectionReader in_;
    const Program& program_;
    Call<Real> call_;

    i64 row_count() const { return call_.steps * call_.batch; }
    i64 x_size() const { return row_count() * program_.input_width; }
    i64 y_size() const { return row_count() * program_.output_width(); }

    void read_common() {
        Call<Real>& c = call_;
        in_.read(1, "sizes", [&](Section& s) {
            c.steps = s.read("a number of steps", 0, max_rows);
            c.batch = s.read("a number of sequences", 0, max_rows / std::max<i64>(1, c.steps));
            if (row_count() > max_size / std::max(program_.input_width, program_.output_width()))
                reject(s.place(), "sizes of a tensor that memory can hold", row_count());
            c.threads = int(std::min(max_threads, s.read("a number of threads", 1)));
            c.reverse = s.read_flag("a direction");
        });
        in_.read(2, "arrays", [&](Section& s) {
            c.x = s.read_array<const Real>("an input", x_size(), row_count() == 0);
            c.y = s.read_array<Real>("an output", y_size(), row_count() == 0);
            c.lengths = s.read_array<const i64>("lengths", c.batch, true);
            c.resets = s.read_array<const uint8_t>("resets", row_count(), true);
            check_lengths(s);
        });
        in_.read(3, "initial states",
                 [&](Section& s) { read_states(s, c.initial_states, c.batch, true); });
        in_.read(4, "restart states", [&](Section& s) {
            if (s.remaining() > 0) read_states(s, c.restart_states, 1);
        });
        in_.read(5, "masks", [&](Section& s) {
            for (i64 width : program_.mask_widths) read_mask(s, width);
        });
    }
    void check_lengths(const Section& s) const {
        i64 limit = call_.steps;
        for (i64 b = 0; call_.lengths && b < call_.batch; ++b) {
            const i64 length = call_.lengths[b];
            if (length < 0 || length > limit)
                reject(s.place(), "descending lengths from " + std::to_string(limit) + " to 0",
                       length);
            limit = length;
        }
    }
    // `found` gets each state's array of so many rows, and null for what is carried nowhere.
    template <class Array>
    void read_states(Section& s, std::vector<Array*>& found, i64 rows, bool optional = false) {
        found.resize(program_.state_widths.size());
        for (size_t k = 0; k < size_t(program_.carried); ++k)
            found[k] = s.read_array<Array>("a state", rows * program_.state_widths[k],
                                           optional || rows == 0);
    }
    // A mask for all steps or for each, for all sequences or for each: distances may be zero.
    void read_mask(Section& s, i64 width) {
        const i64 padded = round_up(width, lanes<Real>);
        const i64 time = s.read("a distance of steps", 0, max_size);
        const i64 row = s.read("a distance of rows", 0, max_size);
        i64 last_step, last_row, size;
        if (__builtin_mul_overflow(std::max<i64>(0, call_.steps - 1), time, &last_step) ||
            __builtin_mul_overflow(std::max<i64>(0, call_.batch - 1), row, &last_row) ||
            __builtin_add_overflow(last_step, last_row, &size))
            reject(s.place(), "distances inside a mask", std::max(time, row));
        Real* base = s.read_array<Real>("a mask", size + padded);
        call_.masks.push_back({base, time, row});
    }
};

}  // namespace sluice::SLUICE_ISA
