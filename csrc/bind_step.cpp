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
        const Real* in = pointer<Real>(x);
        work(false, [&](int id, Team* team) {
            i64 row = layers[0]->input_width();
            advance(id, turn_, in, row, team);
        });
        turn_ ^= 1;
        const Stepper<P>& top = *layers.back();
        for (i64 b = 0; b < batch; ++b)
            std::copy_n(top.state(0, turn_) + b * top.padded(0), top.width(0),
                        pointer<Real>(y) + b * top.width(0));
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

    // Row b of every state becomes what row parents[b] was.
    void rearrange(i64 parents) {
        const i64* from = pointer<i64>(parents);
        for (auto& layer : layers)
            for (i64 s = 0; s < layer->states(); ++s) {
                const i64 row = layer->padded(s);
                for (i64 b = 0; b < batch; ++b)
                    std::copy_n(layer->state(s, turn_) + from[b] * row, row,
                                layer->state(s, turn_ ^ 1) + b * row);
            }
        turn_ ^= 1;
    }

    // The embedding below the layers and the readout above them, for what follows.
    void speak(const std::vector<i64>& words) {
        Reader in(words);
        Language<Real> language;
        language.vocabulary = in.next(), language.width = in.next();
        language.embedding = pointer<Real>(in.next());
        language.readout = pointer<Real>(in.next());
        language.bias = pointer<Real>(in.next());
        if (language.width != layers[0]->input_width())
            throw std::invalid_argument("the embedding does not fit the first layer");
        table_ = layers[0]->tabulated(language.embedding, language.vocabulary, language.width);
        spoken_ = std::make_unique<Generation<Real>>(language, batch, layers.back()->width(0));
    }

    // Read `count` tokens, (count, batch).
    void feed(i64 tokens, i64 count) {
        const i64* all = pointer<i64>(tokens);
        work(count > 1, [&](int id, Team* team) {
            std::vector<Real> x = speaking().embeddings();
            for (i64 t = 0; t < count; ++t) {
                const i64* now = all + t * batch;
                i64 row = layers[0]->input_width();
                spoken_->embed(now, x.data());
                hear(id, int((turn_ + t) & 1), now, x.data(), row, team);
            }
        });
        turn_ ^= int(count & 1);
    }

    // Read one token each, (batch,), and give the logits of the next, (batch, vocabulary).
    void logits(i64 tokens, i64 to, i64 vocabulary) {
        const i64* now = pointer<i64>(tokens);
        const Real* found = nullptr;
        work(false, [&](int id, Team* team) {
            std::vector<Real> x = speaking().embeddings();
            i64 row = layers[0]->input_width();
            spoken_->embed(now, x.data());
            const Real* y = hear(id, turn_, now, x.data(), row, team);
            const Real* all = spoken_->read_out(id, team, 0, y, row);
            if (id == 0) found = all;
        });
        turn_ ^= 1;
        for (i64 b = 0; b < batch; ++b)
            std::copy_n(found + b * spoken_->row(), vocabulary, pointer<Real>(to) + b * vocabulary);
    }

    // Draw from `tokens` on, which are replaced by the last ones; `drawn`: (steps, batch).
    i64 generate(const std::vector<i64>& words, double temperature, double top_p, double typical) {
        Reader in(words);
        Draws draws;
        draws.steps = in.next(), draws.end = in.next();
        draws.uniforms = pointer<double>(in.next());
        draws.choices = pointer<uint8_t>(in.next());
        draws.places = in.next(), draws.own_choices = in.next(), draws.top_k = in.next();
        draws.temperature = temperature, draws.top_p = top_p, draws.typical = typical;
        i64* tokens = pointer<i64>(in.next());
        i64* drawn = pointer<i64>(in.next());
        if (draws.places < 1) throw std::invalid_argument("a draw needs something to choose from");
        i64 taken = 0;
        work(draws.steps > 1, [&](int id, Team* team) {
            int turn = turn_;
            std::vector<i64> found;
            const i64 count = speaking().run(id, team, draws, {tokens, tokens + batch}, found,
                                             [&](const i64* chosen, const Real* x, i64& row) {
                                                 turn ^= 1;
                                                 return hear(id, turn ^ 1, chosen, x, row, team);
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
    std::unique_ptr<Stepper<P>> table_;
    std::unique_ptr<Generation<Real>> spoken_;

    Generation<Real>& speaking() const {
        if (!spoken_) throw std::invalid_argument("a stream speaks no language yet");
        return *spoken_;
    }

    // A thread's part of a step of all layers from tokens, whose embeddings are x.
    const Real* hear(int id, int turn, const i64* tokens, const Real* x, i64& row, Team* team) {
        const Chosen some{table_.get(), tokens};
        return advance(id, turn, x, row, team, table_ ? &some : nullptr);
    }

    // Do job(id, team) together, or alone without a team: for one step waking others takes longer.
    template <class F> void work(bool many, F&& job) {
        if (threads_ == 1 || (!many && !awake())) job(0, static_cast<Team*>(nullptr));
        else run_team(threads_, [&](int id, Team& team) { job(id, &team); });
        if (threads_ > 1) last_ = Clock::now();
    }

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
        .def("rearrange", &Stream<P>::rearrange)
        .def("speak", &Stream<P>::speak)
        .def("feed", &Stream<P>::feed, nb::call_guard<nb::gil_scoped_release>())
        .def("logits", &Stream<P>::logits)
        .def("generate", &Stream<P>::generate, nb::call_guard<nb::gil_scoped_release>());
}

void bind_step(nb::module_& m) {
    bind_stream<F32>(m, "StreamFloat32");
    bind_stream<F64>(m, "StreamFloat64");
    bind_stream<BF16>(m, "StreamBfloat16");
    bind_stream<I8>(m, "StreamInt8");
}

}  // namespace sluice::SLUICE_ISA
