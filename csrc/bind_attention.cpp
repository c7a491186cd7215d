// Attention for Python: scores, and their gradients.
#include <nanobind/nanobind.h>
#include <nanobind/stl/vector.h>

#include "attention.h"
#include "bind.h"

namespace nb = nanobind;

namespace sluice::SLUICE_ISA {

template <class Real> void attention_forward(const std::vector<i64>& words, i64 body) {
    SectionReader in(words, ListKind::attention_forward, "attention");
    const auto call = AttentionCall<Real>::read(in, body);
    Real* scores = in.read(3, "results", [&](Section& s) {
        return s.read_array<Real>("room for scores", call.score_size());
    });
    in.finish();
    compute_scores(call, scores);
}

template <class Real> void attention_backward(const std::vector<i64>& words, i64 body) {
    SectionReader in(words, ListKind::attention_backward, "attention's gradients");
    const auto call = AttentionCall<Real>::read(in, body);
    AttentionGradients<Real> gradients;
    in.read(3, "gradients", [&](Section& s) {
        gradients.of_scores = s.read_array<const Real>("those of scores", call.score_size());
        gradients.of_queries = s.read_array<Real>("those of queries", call.query_size());
        gradients.of_keys = s.read_array<Real>("those of keys", call.key_size());
        gradients.of_vector = s.read_array<Real>("those of the vector",
                                                 multiply_checked(call.batch, call.width));
    });
    in.finish();
    gradients.run(call);
}

template <class Real> void bind_precision(nb::module_& m, const char* forward, const char* back) {
    m.def(forward, &attention_forward<Real>, nb::call_guard<nb::gil_scoped_release>());
    m.def(back, &attention_backward<Real>, nb::call_guard<nb::gil_scoped_release>());
}

void bind_attention(nb::module_& m) {
    bind_precision<float>(m, "attention_forward_float32", "attention_backward_float32");
    bind_precision<double>(m, "attention_forward_float64", "attention_backward_float64");
}

}  // namespace sluice::SLUICE_ISA
