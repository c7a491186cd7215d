// Streams for Python: a stack of packed layers, one step at a time or many tokens at once.
#include <nanobind/nanobind.h>
#include <nanobind/stl/vector.h>

#include "bind.h"
#include "generate.h"
#include "layer.h"

namespace nb = nanobind;

namespace sluice::SLUICE_ISA {

template <class P> struct Stream {
    using Real = typename P::Real;
    i64 batch;
    std::vector<std::unique_ptr<Stepper<P>>> layers;

    Stream(i64 rows, int threads, const std::vector<Layer<P>*>& packed,
           const std::vector<std::vector<double>>& masks)
        : batch(rows) {
        if (packed.empty() || masks.size() != packed.size())
            throw std::invalid_argument("a stream needs masks for each of its layers");
        for (size_t k = 0; k < packed.size(); ++k)
            layers.push_back(std::make_unique<Stepper<P>>(packed[k]->kernel, rows, masks[k], threads));
    }

    Stream(const Stream&) = delete;

    const Real* advance(const Real* x, i64 width, i64& row) {
        row = width;
        for (auto& layer : layers) {
            layer->step(x, row);
            x = layer->state(0);
            row = layer->padded(0);
        }
        return x;
    }
    void step(i64 x, i64 y) {
        i64 row;
        const Real* from =
            advance(pointer<Real>(x), layers[0]->input_width(), row);
        const i64 width = layers.back()->width(0);
        for (i64 b = 0; b < batch; ++b)
            std::copy_n(from + b * row, width, pointer<Real>(y) + b * width);
    }
    // A state to or from the caller's (batch, width).
    void read(i64 layer, i64 s, i64 to) const {
        const Stepper<P>& one = *layers.at(size_t(layer));
        for (i64 b = 0; b < batch; ++b)
            std::copy_n(one.state(s) + b * one.padded(s), one.width(s),
                        pointer<Real>(to) + b * one.width(s));
    }
    void write(i64 layer, i64 s, i64 from) {
        const Stepper<P>& one = *layers.at(size_t(layer));
        for (i64 b = 0; b < batch; ++b)
            copy_padded(one.state(s) + b * one.padded(s), pointer<Real>(from) + b * one.width(s),
                        one.width(s), one.padded(s));
    }

    i64 generate(const std::vector<i64>& words, double temperature, double top_p) {
        Reader in(words);
        Draws<Real> draws;
        const i64 steps = in.next();
        draws.vocabulary = in.next(), draws.embedding_width = in.next(), draws.end = in.next();
        draws.embedding = pointer<Real>(in.next());
        draws.readout = pointer<Real>(in.next());
        draws.bias = pointer<Real>(in.next());
        draws.uniforms = pointer<double>(in.next());
        draws.choices = pointer<uint8_t>(in.next());
        draws.places = in.next(), draws.place = in.next(), draws.top_k = in.next();
        draws.temperature = temperature, draws.top_p = top_p;
        i64* tokens = pointer<i64>(in.next());
        auto* ended = pointer<uint8_t>(in.next());
        i64* drawn = pointer<i64>(in.next());
        if (draws.embedding_width != layers[0]->input_width() || draws.places < 1)
            throw std::invalid_argument("the embedding does not fit the first layer");
        return sluice::SLUICE_ISA::generate<P>(
            draws, steps, batch, tokens, ended, drawn, layers.back()->width(0),
            [&](const Real* x, i64 width, i64& row) { return advance(x, width, row); });
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
