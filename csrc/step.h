// Layers one step at a time, their states kept: a step allocates nothing.
#pragma once

#include "pool.h"
#include "states.h"

namespace sluice::SLUICE_ISA {

// One layer. Its states lie in two places in turn: a step reads those of `turn` and leaves the
// others.
template <class P> class Stepper {
    using Real = typename P::Real;
    static constexpr i64 L = lanes<Real>;

public:
    // `masks`: the number that stands in each mask; at most `threads` are used, where they help.
    Stepper(const Kernel<P>& kernel, i64 batch, const std::vector<double>& masks, int threads)
        : kernel_(kernel), program_(kernel.program) {
        if (batch < 1 || masks.size() != program_.mask_widths.size())
            throw std::invalid_argument("a stream does not fit its program");
        const bool large = kernel.weights() * i64(sizeof(typename P::B)) >= worth_sharing;
        threads_ = large && splits_by_units<Real>(program_, threads) ? threads : 1;
        call_.steps = 1, call_.batch = batch, call_.threads = threads_;
        for (i64 width : program_.state_widths) {
            const i64 padded = ceil_div(width, L) * L;
            for (auto& swing : swing_) {
                swing.push_back(arena_.reals(batch * padded));
                std::fill_n(swing.back(), batch * padded, Real(0));
            }
        }
        for (size_t k = 0; k < masks.size(); ++k) {
            const i64 padded = ceil_div(program_.mask_widths[k], L) * L;
            masks_.push_back(arena_.reals(padded));
            std::fill_n(masks_.back(), padded, Real(masks[k]));
        }
        for (const Place& p : program_.places) shared_.push_back(memory_for(p));
        input_ = program_.find(Role::input);
        for (i64 s = 0; s < states(); ++s)
            places_.push_back({program_.find(Role::previous, s), program_.find(Role::next, s)});
        for (int id = 0; id < threads_; ++id) hands_.push_back(std::make_unique<Hand>(*this, id));
    }

    // How many threads can share a step.
    int threads() const { return threads_; }
    i64 input_width() const { return program_.input_width; }
    i64 states() const { return i64(program_.state_widths.size()); }
    i64 width(i64 s) const { return program_.state_widths.at(size_t(s)); }
    i64 padded(i64 s) const { return ceil_div(width(s), L) * L; }
    Real* state(i64 s, int turn) const { return swing_[turn].at(size_t(s)); }

    // Inputs of which each step takes some: what depends on them alone, computed beforehand.
    struct Chosen {
        const Stepper* table;  // has seen all of them as its batch
        const i64* numbers;    // of this step's
    };
    // A table of `count` inputs, `row` numbers apart; null where it would be too large.
    std::unique_ptr<Stepper> tabulated(const Real* inputs, i64 count, i64 row) const {
        i64 size = 0;
        for (const Place& p : program_.places) size += p.hoisted() ? count * p.row : 0;
        if (size > largest_table) return nullptr;
        const std::vector<double> masks(masks_.size(), 1.0);  // nothing before a step reads them
        auto table = std::make_unique<Stepper>(kernel_, count, masks, 1);
        table->hoist(0, inputs, row);
        return table;
    }

    // What depends on the input alone.
    void hoist(int id, const Real* x, i64 row) {
        Frame<P>& frame = hands_[size_t(id)]->frame;
        if (input_ >= 0) frame.where(input_) = {const_cast<Real*>(x), 0, row, L};
        for (const Phase& phase : program_.hoisted) frame.run(phase, 0, 0, call_.batch);
    }

    // A thread's part of one step from rows of the input, `row` numbers apart; all of it without
    // a team.
    void step(int id, int turn, const Real* x, i64 row, Team* team, const Chosen* chosen = nullptr) {
        Hand& hand = *hands_[size_t(id)];
        Frame<P>& frame = hand.frame;
        frame.by_units = team != nullptr;
        const i64 rows = call_.batch;
        for (size_t s = 0; s < places_.size(); ++s) {
            const auto [before, after] = places_[s];
            const i64 across = padded(i64(s));
            if (before >= 0) frame.where(before) = {swing_[turn][s], 0, across, L};
            frame.where(after) = {swing_[turn ^ 1][s], 0, across, L};
        }
        if (chosen) take(frame, *chosen);
        else hoist(id, x, row);
        if (program_.input_in_bodies) {
            const i64 to = program_.places[size_t(input_)].row;
            for (i64 b = 0; b < rows; ++b)
                copy_padded(hand.input + b * to, x + b * row, program_.input_width, to);
            frame.where(input_) = {hand.input, 0, to, L};
        }
        for (const Phase& phase : program_.forward) {
            frame.run(phase, 0, 0, rows);
            if (team) team->barrier(id);
        }
    }

private:
    static constexpr i64 worth_sharing = i64(1) << 18;  // bytes of weights
    static constexpr i64 largest_table = i64(1) << 22;  // numbers

    struct Hand {
        Frame<P> frame;
        Arena<Real> arena;
        Real* input;
        Hand(Stepper& of, int id)
            : frame(of.kernel_, of.call_, id, of.threads_, of.threads_ > 1) {
            furnish(frame, {&of.program_.hoisted, &of.program_.forward}, of.call_.batch, arena);
            for (size_t k = 0; k < of.shared_.size(); ++k) {
                const Place& p = of.program_.places[k];
                if (p.role == Role::mask) frame.where(i64(k)) = {of.masks_[size_t(p.index)], 0, 0, L};
                else if (of.shared_[k]) frame.bind(i64(k), of.shared_[k], 0);
            }
            input = arena.reals(of.call_.batch * (of.program_.input_width + L));
        }
    };

    const Kernel<P>& kernel_;
    const Program& program_;
    Call<Real> call_;
    int threads_ = 1;
    i64 input_ = -1;
    std::vector<std::pair<i64, i64>> places_;  // of each state: before the step, and after
    Arena<Real> arena_;
    std::vector<Real*> swing_[2], masks_, shared_;
    std::vector<std::unique_ptr<Hand>> hands_;

    void take(Frame<P>& frame, const Chosen& chosen) const {
        for (size_t k = 0; k < shared_.size(); ++k) {
            const Place& p = program_.places[k];
            if (!p.hoisted()) continue;
            i64 first = 0, last = p.blocks;
            if (p.width > 0) frame.range(p.width, first, last);
            const i64 start = first * p.block, count = p.width > 0 ? (last - first) * p.block : p.row;
            for (i64 b = 0; b < call_.batch; ++b)
                std::copy_n(chosen.table->shared_[k] + chosen.numbers[b] * p.row + start, count,
                            shared_[k] + b * p.row + start);
        }
    }

    Real* memory_for(const Place& p) {
        switch (p.role) {
        case Role::parameters: return kernel_.constant[size_t(&p - program_.places.data())];
        case Role::scratch:
        case Role::row_sums:
        case Role::row_means:
        case Role::statistics:
        case Role::hoisted_statistics: return arena_.reals(call_.batch * p.row);
        default: return nullptr;
        }
    }
};

}  // namespace sluice::SLUICE_ISA
