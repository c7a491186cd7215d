// Layers one step at a time, their states kept: a step allocates nothing.
#pragma once

#include "pool.h"
#include "states.h"

namespace sluice::SLUICE_ISA {

// One layer. Its states lie in two buffers in turn: a step reads those numbered `current` and
// writes the others.
template <class P> class Stepper {
    using Real = typename P::Real;
    static constexpr i64 L = lanes<Real>;

public:
    // `masks`: the number that stands in each mask; the masks behind them are `write_input`'s. At
    // most `threads` are used, where they help.
    Stepper(const PackedWeights<P>& weights, i64 batch, const std::vector<double>& masks,
            int threads)
        : weights_(weights), program_(weights.program) {
        if (batch < 1) reject("a stream", "at least one sequence", batch);
        if (masks.size() > program_.mask_widths.size())
            reject("a stream", std::to_string(program_.mask_widths.size()) + " masks of a layer",
                   i64(masks.size()));
        constant_masks_ = i64(masks.size());
        const bool large = weights.weight_count() * i64(sizeof(typename P::B)) >= min_shared_bytes;
        threads_ = large && can_share_units<Real>(program_, threads) ? threads : 1;
        call_.steps = 1, call_.batch = batch, call_.threads = threads_;
        for (i64 width : program_.state_widths)
            for (auto& states : states_) states.push_back(allocate_filled(batch, width, 0));
        for (size_t k = 0; k < program_.mask_widths.size(); ++k) {
            const bool is_constant = k < masks.size();
            masks_.push_back(allocate_filled(is_constant ? 1 : batch, program_.mask_widths[k],
                                             is_constant ? masks[k] : 0.0));
        }
        for (const Buffer& p : program_.buffers) shared_.push_back(allocate_buffer(p));
        input_ = program_.find(Role::input);
        if (program_.outputs.size() > 1) output_ = allocate_filled(batch, output_width(), 0);
        for (i64 s = 0; s < states(); ++s)
            state_buffers_.push_back(
                {program_.find(Role::previous, s), program_.find(Role::next, s)});
        for (int id = 0; id < threads_; ++id)
            contexts_.push_back(std::make_unique<ThreadContext>(*this, id));
    }

    // From now on only the first `rows` sequences, at most as many as there were at first.
    void set_batch(i64 rows) { call_.batch = rows; }
    const PackedWeights<P>& weights() const { return weights_; }
    // How many threads can share a step.
    int threads() const { return threads_; }
    i64 input_width() const { return program_.input_width; }
    i64 states() const { return i64(program_.state_widths.size()); }
    i64 output_width() const { return program_.output_width(); }
    i64 width(i64 s) const { return program_.state_widths.at(size_t(s)); }
    i64 padded(i64 s) const { return round_up(width(s), L); }
    Real* state(i64 s, int current) const { return states_[current].at(size_t(s)); }

    // The output after a step that read the states numbered `current`, in `row` its rows' distance.
    // Of several values it is a copy, which `gather_output` makes.
    const Real* output(int current, i64& row) const {
        row = output_ ? round_up(output_width(), L) : padded(program_.outputs[0]);
        return output_ ? output_ : state(program_.outputs[0], current ^ 1);
    }
    bool gathers_output() const { return output_; }
    void gather_output(int current) const {
        Real* to = output_;
        for (i64 s : program_.outputs) {
            for (i64 b = 0; b < call_.batch; ++b)
                std::copy_n(state(s, current ^ 1) + b * padded(s), width(s),
                            to + b * round_up(output_width(), L));
            to += width(s);
        }
    }

    // How many inputs beside x there are, and their widths.
    i64 given_masks() const { return i64(masks_.size()) - constant_masks_; }
    i64 input_width(i64 k) const { return program_.mask_widths.at(size_t(constant_masks_ + k)); }
    // An input beside x for the steps that follow, from rows (batch, width) without padding.
    void write_input(i64 k, const Real* rows) {
        const i64 width = input_width(k), padded = round_up(width, L);
        for (i64 b = 0; b < call_.batch; ++b)
            copy_padded(masks_[size_t(constant_masks_ + k)] + b * padded, rows + b * width, width,
                        padded);
    }

    // Rows of a table, one a sequence, with all that depends on the input alone.
    struct TableRows {
        const Stepper* table;  // its batch is all inputs there are
        const i64* numbers;
    };
    // A table of `count` inputs, `row` numbers apart; null where it would be too large.
    std::unique_ptr<Stepper> make_table(const Real* inputs, i64 count, i64 row) const {
        i64 size = 0;
        for (const Buffer& p : program_.buffers)
            if (p.is_hoisted()) size = add_checked(size, multiply_checked(count, p.row));
        if (size > max_table_size || given_masks() > 0) return nullptr;
        const std::vector<double> masks(masks_.size(), 1.0);  // hoisted phases read none
        auto table = std::make_unique<Stepper>(weights_, count, masks, 1);
        table->run_hoisted(*table->contexts_[0], inputs, row, nullptr);
        return table;
    }

    // A thread's part of one step from rows of the input, `row` numbers apart; all of it without
    // a team. `table_rows`: where the hoisted part was computed before.
    void step(int id, int current, const Real* x, i64 row, Team* team,
              const TableRows* table_rows = nullptr) {
        ThreadContext& context = *contexts_[size_t(id)];
        PhaseRunner<P>& runner = context.runner;
        runner.shares_units = team != nullptr;
        for (size_t s = 0; s < state_buffers_.size(); ++s) {
            const auto [previous, next] = state_buffers_[s];
            if (previous >= 0)
                runner.view(previous) = {{states_[current][s], 0, padded(i64(s))}, L};
            runner.view(next) = {{states_[current ^ 1][s], 0, padded(i64(s))}, L};
        }
        if (table_rows) {
            copy_from_table(runner, *table_rows);
            if (team && program_.hoisted_needs_rows) team->barrier();
        } else {
            run_hoisted(context, x, row, team);
        }
        if (program_.forward_reads_input) bind_padded_input(context, x, row);
        for (const Phase& phase : program_.forward) {
            runner.run(phase, 0, 0, call_.batch);
            if (team) team->barrier();
        }
    }

private:
    static constexpr i64 min_shared_bytes = i64(1) << 18;  // of weights
    static constexpr i64 max_table_size = i64(1) << 22;    // numbers

    struct ThreadContext {
        PhaseRunner<P> runner;
        Arena<Real> arena;
        Real* padded_input;
        ThreadContext(Stepper& owner, int id)
            : runner(owner.weights_, owner.call_, id, owner.threads_, owner.threads_ > 1) {
            const Program& program = owner.program_;
            allocate_scratch(runner, program.hoisted, 0, owner.call_.batch, arena);
            allocate_scratch(runner, program.forward, 0, owner.call_.batch, arena);
            for (size_t k = 0; k < owner.shared_.size(); ++k) {
                const Buffer& p = program.buffers[k];
                if (p.role == Role::mask)
                    runner.view(i64(k)) = {
                        {owner.masks_[size_t(p.index)], 0,
                         p.index < owner.constant_masks_ ? 0 : round_up(p.width, L)}, L};
                else if (p.holds_statistics())  // each thread computes all
                    runner.bind(i64(k), arena.allocate_reals(owner.call_.batch, p.row), 0);
                else if (p.role == Role::mapped_rows) runner.bind_own_rows(i64(k), arena);
                else if (owner.shared_[k]) runner.bind(i64(k), owner.shared_[k], 0);
            }
            padded_input =
                arena.allocate_reals(owner.call_.batch, round_up(program.input_width, L));
        }
    };

    const PackedWeights<P>& weights_;
    const Program& program_;
    Call<Real> call_;
    int threads_ = 1;
    i64 input_ = -1, constant_masks_ = 0;
    Real* output_ = nullptr;
    std::vector<std::pair<i64, i64>> state_buffers_;  // of each state: before the step, and after
    Arena<Real> arena_;
    std::vector<Real*> states_[2], masks_, shared_;
    std::vector<std::unique_ptr<ThreadContext>> contexts_;

    void run_hoisted(ThreadContext& context, const Real* x, i64 row, Team* team) {
        PhaseRunner<P>& runner = context.runner;
        if (program_.hoisted_reads_input) bind_padded_input(context, x, row);
        else if (input_ >= 0) runner.view(input_) = {{const_cast<Real*>(x), 0, row}, L};
        for (const Phase& phase : program_.hoisted) {
            runner.run(phase, 0, 0, call_.batch);
            if (team && program_.hoisted_needs_rows) team->barrier();
        }
    }
    // Bodies read whole vectors: copy the rows, padded.
    void bind_padded_input(ThreadContext& context, const Real* x, i64 row) {
        const i64 padded = round_up(program_.input_width, L);
        for (i64 b = 0; b < call_.batch; ++b)
            copy_padded(context.padded_input + b * padded, x + b * row, program_.input_width,
                        padded);
        context.runner.view(input_) = {{context.padded_input, 0, padded}, L};
    }

    void copy_from_table(PhaseRunner<P>& runner, const TableRows& rows) const {
        for (size_t k = 0; k < shared_.size(); ++k) {
            const Buffer& p = program_.buffers[k];
            if (!p.is_hoisted()) continue;
            i64 first = 0, last = p.blocks;
            if (p.width > 0) runner.block_range(p.width, first, last);
            const i64 start = first * p.block,
                      count = p.width > 0 ? (last - first) * p.block : p.row;
            const BufferView<Real>& from = rows.table->contexts_[0]->runner.view(i64(k));
            for (i64 b = 0; b < call_.batch; ++b)
                std::copy_n(from.at(0, rows.numbers[b]) + start, count,
                            runner.view(i64(k)).at(0, b) + start);
        }
    }

    // Rows of one number, padded to whole blocks.
    Real* allocate_filled(i64 rows, i64 width, double value) {
        const i64 size = multiply_checked(rows, round_up(width, L));
        Real* found = arena_.allocate_reals(size);
        std::fill_n(found, size, Real(value));
        return found;
    }
    Real* allocate_buffer(const Buffer& p) {
        switch (p.role) {
        case Role::parameters: return weights_.constant[size_t(&p - program_.buffers.data())];
        case Role::scratch: return arena_.allocate_reals(call_.batch, p.row);
        default: return nullptr;
        }
    }
};

}  // namespace sluice::SLUICE_ISA
