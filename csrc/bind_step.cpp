// Streams for Python: a stack of packed layers, one step at a time or many tokens at once.
#include <nanobind/nanobind.h>
#include <nanobind/stl/vector.h>

#include <chrono>

#include "bind.h"
#include "generate.h"
#include "layer.h"
#include "step.h"

namespace nb = nanobind;

namespace sluice::SLUICE_ISA {

template <class P> struct Stream {
    using Real = typename P::Real;
    using Clock = std::chrono::steady_clock;
    using Chosen = typename Stepper<P>::Chosen;
    i64 batch;
    std::vector<std::unique_ptr<Stepper<P>>> layers;

    Stream(i64 rows, int threads, const std::vector<Layer<P>*>& packed,
           const std::vector<std::vector<double>>& masks)
        : batch(rows) {
        if (packed.empty() || masks.size() != packed.size())
            throw std::invalid_argument("a stream needs masks for each of its layers");
        for (size_t k = 0; k < packed.size(); ++k) {
            layers.push_back(std::make_unique<Stepper<P>>(packed[k]->kernel, rows, masks[k], threads));
            threads_ = std::max(threads_, layers.back()->threads());
        }
    }

    Stream(const Stream&) = delete;

    // A thread's part of a step of all layers; the output, and in `row` its rows' distance.
    const Real* advance(int id, int turn, const Real* x, i64& row, Team* team, const Chosen* chosen = nullptr) {
        for (auto& layer : layers) {
            const bool shared = team && layer->threads() > 1;
            if (shared || id == 0) layer->step(id, turn, x, row, shared ? team : nullptr, chosen);
            chosen = nullptr;
            if (team && !shared) team->barrier(id);
            x = layer->state(0, turn ^ 1);
            row = layer->padded(0);
        }
        return x;
    }
    void step(i64 x, i64 y) {
        i64 row = layers[0]->input_width();
        const Real* in = pointer<Real>(x);
        if (awake())
            run_team(threads_, [&](int id, Team& team) {
                i64 own = row;
                advance(id, turn_, in, own, &team);
            });
        else
            advance(0, turn_, in, row, nullptr);
        turn_ ^= 1;
        const Stepper<P>& top = *layers.back();
        for (i64 b = 0; b < batch; ++b)
            std::copy_n(top.state(0, turn_) + b * top.padded(0), top.width(0),
                        pointer<Real>(y) + b * top.width(0));
        if (threads_ > 1) last_ = Clock::now();
    }
    // A state to or from the caller's (batch, width).
    void read(i64 layer, i64 s, i64 to) const {
        const Stepper<P>& one = *layers.at(size_t(layer));
        for (i64 b = 0; b < batch; ++b)
            std::copy_n(one.state(s, turn_) + b * one.padded(s), one.width(s),
                        pointer<Real>(to) + b * one.width(s));
    }
    void write(i64 layer, i64 s, i64 from) {
        const Stepper<P>& one = *layers.at(size_t(layer));
        for (i64 b = 0; b < batch; ++b)
            copy_padded(one.state(s, turn_) + b * one.padded(s), pointer<Real>(from) + b * one.width(s),
                        one.width(s), one.padded(s));
    }

    // Draw from `tokens` on, which are replaced by the last ones; `drawn`: (steps, batch).
    i64 generate(const std::vector<i64>& words, double temperature, double top_p) {
        Reader in(words);
        Draws<Real> draws;
        const i64 steps = in.next();
        draws.vocabulary = in.next(), draws.width = in.next(), draws.end = in.next();
        draws.embedding = pointer<Real>(in.next());
        draws.readout = pointer<Real>(in.next());
        draws.bias = pointer<Real>(in.next());
        draws.uniforms = pointer<double>(in.next());
        draws.choices = pointer<uint8_t>(in.next());
        draws.places = in.next(), draws.top_k = in.next();
        draws.temperature = temperature, draws.top_p = top_p;
        i64* tokens = pointer<i64>(in.next());
        i64* drawn = pointer<i64>(in.next());
        if (draws.width != layers[0]->input_width() || draws.places < 1)
            throw std::invalid_argument("the embedding does not fit the first layer");
        const auto table = layers[0]->tabulated(draws.embedding, draws.vocabulary, draws.width);
        Generation<Real> all(draws, steps, batch, layers.back()->width(0));
        i64 taken = 0;
        run_team(threads_, [&](int id, Team& team) {
            Team* own = threads_ > 1 ? &team : nullptr;
            int turn = turn_;
            std::vector<i64> found;
            const i64 count = all.run(id, own, {tokens, tokens + batch}, found,
                                      [&](const i64* chosen, const Real* x, i64& row) {
                                          const Chosen some{table.get(), chosen};
                                          const Real* y = advance(id, turn, x, row, own,
                                                                  table ? &some : nullptr);
                                          turn ^= 1;
                                          return y;
                                      });
            if (id == 0) std::copy(found.begin(), found.end(), drawn), taken = count;
        });
        if (taken > 0) std::copy_n(drawn + (taken - 1) * batch, batch, tokens);
        turn_ ^= int(taken & 1);
        return taken;
    }

private:
    int threads_ = 1, turn_ = 0;
    Clock::time_point last_{};

    // Whether a worker still looks for work since the last step, so that sharing this one pays.
    bool awake() const {
        return threads_ > 1 && Clock::now() - last_ < std::chrono::microseconds(20) &&
               Pool::get().idle();
    }
};

template <class P> void bind_stream(nb::module_& m, const char* name) {
    nb::class_<Stream<P>>(m, name)
        .def(nb::init<i64, int, const std::vector<Layer<P>*>&, const std::vector<std::vector<double>>&>(),
             nb::keep_alive<1, 4>())
        .def("step", &Stream<P>::step)
        .def("read", &Stream<P>::read)
        .def("write", &Stream<P>::write)
        .def("generate", &Stream<P>::generate, nb::call_guard<nb::gil_scoped_release>());
}

void bind_step(nb::module_& m) {
    bind_stream<F32>(m, "StreamFloat32");
    bind_stream<F64>(m, "StreamFloat64");
    bind_stream<BF16>(m, "StreamBfloat16");
    bind_stream<I8>(m, "StreamInt8");
}

}  // namespace sluice::SLUICE_ISA
