// Passes over time from the words that Python writes, and what their tapes hold.
#pragma once

#include "backward.h"
#include "call_reader.h"
#include "forward.h"
#include "layer.h"

namespace sluice::SLUICE_ISA {

// The tape, which the caller owns; null where none is kept.
template <class P>
Tape<typename P::Real>* run_forward(const PackedWeights<P>& weights,
                                    const Call<typename P::Real>& call, bool keep) {
    using Real = typename P::Real;
    const Program& program = weights.program;
    std::unique_ptr<Tape<Real>> tape;
    if (keep)
        tape = std::make_unique<Tape<Real>>(
            Tape<Real>::of_values(program, call.steps, call.batch));
    Forward<P>(weights, call, tape.get()).run();
    return tape.release();
}

template <class Real>
void check_tape(const Tape<Real>& tape, const Program& program, const Call<Real>& call) {
    if (!tape.fits(program, call.steps, call.batch))
        throw std::invalid_argument(
            "expected the tape of a forward pass with the same program and sizes, got another; keep "
            "each pass with its own tape");
}

// The gradients that the program records, which the caller owns; null where it records none.
template <class P>
Tape<typename P::Real>* run_backward(const PackedWeights<P>& weights,
                                     const Call<typename P::Real>& call,
                                     const Tape<typename P::Real>& tape) {
    using Real = typename P::Real;
    const Program& program = weights.program;
    check_tape(tape, program, call);
    std::unique_ptr<Tape<Real>> recorded;
    if (program.find(Role::recorded) >= 0)
        recorded = std::make_unique<Tape<Real>>(
            Tape<Real>::of_gradients(program, call.steps, call.batch));
    Backward<P>(weights, call, tape, recorded.get()).run();
    return recorded.release();
}

// Passes of a packed layer.
template <class P>
Tape<typename P::Real>* forward(const Layer<P>& layer, const std::vector<i64>& words, bool keep) {
    using Reader = CallReader<typename P::Real>;
    const auto call = Reader(words, ListKind::forward_call, layer.program).read_forward();
    return run_forward<P>(layer.weights, call, keep);
}
template <class P>
Tape<typename P::Real>* backward(const Layer<P>& layer, const std::vector<i64>& words,
                                 const Tape<typename P::Real>& tape) {
    if constexpr (P::group == 4) {
        throw std::invalid_argument("int8 weights do not train; use another precision");
    } else {
        if (!layer.trains)
            throw std::invalid_argument(
                "this layer was packed for inference; pack it for training");
        using Reader = CallReader<typename P::Real>;
        const auto call = Reader(words, ListKind::backward_call, layer.program).read_backward();
        return run_backward<P>(layer.weights, call, tape);
    }
}

// A single pass: of the parameters in `arrays`, only what this pass needs is packed, if anything.
template <class P> struct SinglePass {
    using Real = typename P::Real;
    std::vector<const Real*> parameters;
    Call<Real> call;
    PackedWeights<P> weights;

    SinglePass(const Program& program, const std::vector<i64>& arrays,
               const std::vector<i64>& words, ListKind kind)
        : parameters(read_parameters<Real>(arrays, program)),
          call(read_call(program, words, kind)),
          weights(program, parameters.data(),
                  choose_storage<P>(program, call, kind == ListKind::backward_call), call.threads) {}

private:
    static Call<Real> read_call(const Program& program, const std::vector<i64>& words,
                                ListKind kind) {
        CallReader<Real> reader(words, kind, program);
        return kind == ListKind::backward_call ? reader.read_backward() : reader.read_forward();
    }
};

template <class P>
Tape<typename P::Real>* forward_once(const Program& program, const std::vector<i64>& arrays,
                                     const std::vector<i64>& words, bool keep) {
    const SinglePass<P> pass(program, arrays, words, ListKind::forward_call);
    return run_forward<P>(pass.weights, pass.call, keep);
}
// The same with what `open_tape` returned.
template <class P>
void forward_once_to(const Program& program, const std::vector<i64>& arrays,
                     const std::vector<i64>& words, Tape<typename P::Real>& tape) {
    const SinglePass<P> pass(program, arrays, words, ListKind::forward_call);
    check_tape(tape, program, pass.call);
    Forward<P>(pass.weights, pass.call, &tape).run();
}
template <class P>
Tape<typename P::Real>* backward_once(const Program& program, const std::vector<i64>& arrays,
                                      const std::vector<i64>& words,
                                      const Tape<typename P::Real>& tape) {
    const SinglePass<P> pass(program, arrays, words, ListKind::backward_call);
    return run_backward<P>(pass.weights, pass.call, tape);
}

// Copy one item of a buffer on the tape to an array (time, batch, width) of the caller's.
template <class Real>
void read_tape(const Tape<Real>& tape, const Program& program, i64 k, i64 item, i64 to) {
    constexpr i64 L = lanes<Real>;
    if (k < 0 || k >= i64(program.buffers.size()))
        reject("a tape", "a buffer below " + std::to_string(program.buffers.size()), k);
    const Buffer& p = program.buffer(k);
    if (!tape.holds(size_t(k), p) || p.holds_scalars() || item < 0 || item >= p.items)
        throw std::invalid_argument("the tape does not hold item " + std::to_string(item) +
                                    " of buffer " + std::to_string(k) +
                                    "; ask what it holds first");
    const Real* from = tape.base[size_t(k)];
    Real* out = to_pointer<Real>(to);
    for (i64 q = 0; q < tape.steps * tape.batch; ++q)
        for (i64 u = 0; u < p.width; u += L)
            std::copy_n(from + q * p.row + u / L * p.block + item * L, std::min(L, p.width - u),
                        out + q * p.width + u);
}

// A tape in memory of the caller's, who keeps it until the tape is gone.
template <class Real>
Tape<Real>* open_tape(const Program& program, i64 steps, i64 batch, i64 address, i64 bytes) {
    return new Tape<Real>(Tape<Real>::of_values_at(
        program, steps, batch, to_pointer<void>(address), bytes));
}

template <class Real> i64 tape_bytes_per_row(const Program& program) {
    return Tape<Real>::bytes_per_row(program);
}

template <class Real> bool holds(const Tape<Real>& tape, i64 k) {
    return tape.base.at(size_t(k)) != nullptr;
}

}  // namespace sluice::SLUICE_ISA
