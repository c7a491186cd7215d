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
    using TableRows = typename Stepper<P>::TableRows;
    i64 batch;
    const i64 capacity;
    std::vector<std::unique_ptr<Stepper<P>>> layers;

    Stream(i64 rows, int threads, const std::vector<Layer<P>*>& packed,
           const std::vector<std::vector<double>>& masks)
        : batch(rows), capacity(rows) {
        if (packed.empty()) reject("a stream", "at least one layer", 0);
        if (masks.size() != packed.size())
            reject("a stream", "masks of " + std::to_string(packed.size()) + " layers",
                   i64(masks.size()));
        for (size_t k = 0; k < packed.size(); ++k) {
            if (!packed[k]) reject("a stream", "a layer", "none");
            layers.push_back(std::make_unique<Stepper<P>>(packed[k]->weights, rows, masks[k],
                                                          std::max(1, threads)));
            threads_ = std::max(threads_, layers.back()->threads());
            products_per_row_ += packed[k]->weights.weight_count();
            if (k > 0 && layers[k]->input_width() != layers[k - 1]->output_width())
                reject("a stream",
                       "a layer with input width " + std::to_string(layers[k - 1]->output_width()),
                       layers[k]->input_width());
        }
    }

    Stream(const Stream&) = delete;

    // From now on step only the first `rows` sequences; the states of others are lost.
    void set_batch(i64 rows) {
        if (rows < 1 || rows > capacity)
            throw std::invalid_argument("expected a batch of 1 to " + std::to_string(capacity) +
                                        ", got " + std::to_string(rows) +
                                        "; make a stream for as many sequences");
        batch = rows;
        for (auto& layer : layers) layer->set_batch(rows);
        if (generator_) generator_->set_batch(rows);
    }

    // A thread's part of a step of all layers; returns the output, and in `row` its rows' distance.
    const Real* advance(int id, int current, const Real* x, i64& row, Team* team,
                        const TableRows* table_rows = nullptr) {
        for (auto& layer : layers) {
            const bool shared = team && layer->threads() > 1;
            if (shared || id == 0)
                layer->step(id, current, x, row, shared ? team : nullptr, table_rows);
            table_rows = nullptr;
            if (team && !shared) team->barrier();
            if (layer->gathers_output()) {
                if (id == 0) layer->gather_output(current);
                if (team) team->barrier();
            }
            x = layer->output(current, row);
        }
        return x;
    }
    void step(i64 x, i64 y) {
        const Real* in = to_pointer<Real>(x);
        run_shared(1, [&](int id, Team* team) {
            i64 row = layers[0]->input_width();
            advance(id, current_, in, row, team);
        });
        current_ ^= 1;
        const Stepper<P>& top = *layers.back();
        i64 row = 0;
        const Real* out = top.output(current_ ^ 1, row);
        for (i64 b = 0; b < batch; ++b)
            std::copy_n(out + b * row, top.output_width(), to_pointer<Real>(y) + b * top.output_width());
    }
    // An input beside x of all layers for the next step, from the caller's array (batch, width).
    void write_input(i64 k, i64 from) {
        for (auto& layer : layers) {
            if (k < 0 || k >= layer->given_masks() ||
                layer->input_width(k) != layers[0]->input_width(k))
                reject("a stream", "an input beside x that all layers have", k);
            layer->write_input(k, to_pointer<const Real>(from));
        }
    }
    // Copy a state to or from the caller's array (batch, width).
    void read(i64 layer, i64 s, i64 to) const {
        const Stepper<P>& one = *layers.at(size_t(layer));
        for (i64 b = 0; b < batch; ++b)
            std::copy_n(one.state(s, current_) + b * one.padded(s), one.width(s),
                        to_pointer<Real>(to) + b * one.width(s));
    }
    void write(i64 layer, i64 s, i64 from) {
        const Stepper<P>& one = *layers.at(size_t(layer));
        for (i64 b = 0; b < batch; ++b)
            copy_padded(one.state(s, current_) + b * one.padded(s),
                        to_pointer<Real>(from) + b * one.width(s), one.width(s), one.padded(s));
    }

    // Row b of every state becomes what row parents[b] was.
    void rearrange(i64 parents) {
        const i64* from = to_pointer<i64>(parents);
        for (i64 b = 0; b < batch; ++b)
            if (from[b] < 0 || from[b] >= batch)
                throw std::invalid_argument("expected rows from 0 to " + std::to_string(batch - 1) +
                                            ", got " + std::to_string(from[b]) +
                                            "; name rows of the stream");
        for (auto& layer : layers)
            for (i64 s = 0; s < layer->states(); ++s) {
                const i64 row = layer->padded(s);
                for (i64 b = 0; b < batch; ++b)
                    std::copy_n(layer->state(s, current_) + from[b] * row, row,
                                layer->state(s, current_ ^ 1) + b * row);
            }
        current_ ^= 1;
    }

    // Set the embedding below the layers and the readout above them.
    void attach_vocabulary(const std::vector<i64>& words) {
        const i64 width = layers[0]->input_width(), features = layers.back()->output_width();
        SectionReader in(words, ListKind::vocabulary, "a vocabulary");
        const auto vocabulary = in.read(1, "arrays", [&](Section& s) {
            Vocabulary<Real> v;
            v.size = s.read("a number of tokens", 1, max_width);
            v.width = s.read("at most the first layer's input width", 1, width);
            v.given = width - v.width;
            v.embedding = s.read_array<const Real>("an embedding", v.size * v.width);
            v.readout = s.read_array<const Real>("a readout", v.size * features);
            v.bias = s.read_array<const Real>("a bias", v.size, true);
            return v;
        });
        in.finish();
        table_ = nullptr;  // of what depends on the token alone
        if (vocabulary.given == 0)
            table_ = layers[0]->make_table(vocabulary.embedding, vocabulary.size, width);
        set_vocabulary(std::make_shared<const PackedVocabulary<Real>>(vocabulary, features));
    }
    // Use the packed vocabulary of another stream of the same layers.
    void share_vocabulary(const Stream& other) {
        const auto has_same_weights = [](const auto& a, const auto& b) {
            return &a->weights() == &b->weights();
        };
        if (!std::equal(layers.begin(), layers.end(), other.layers.begin(), other.layers.end(),
                        has_same_weights))
            throw std::invalid_argument(
                "expected a stream of the same packed layers, got one of others; pack them once");
        table_ = other.table_;
        set_vocabulary(other.generator().packed());
    }

    // Read `count` tokens, (count, batch).
    void feed(i64 tokens, i64 count) {
        const i64* all = to_pointer<i64>(tokens);
        require_nothing_given();
        generator().check_tokens(all, count * batch);
        run_shared(count, [&](int id, Team* team) {
            std::vector<Real> x = generator_->make_embeddings();
            for (i64 t = 0; t < count; ++t) {
                const i64* now = all + t * batch;
                i64 row = layers[0]->input_width();
                generator_->embed(now, nullptr, x.data());
                advance_tokens(id, int((current_ + t) & 1), now, x.data(), row, team);
            }
        });
        current_ ^= int(count & 1);
    }

    // Read one token each, (batch,), and write the logits of the next, (batch, vocabulary).
    void logits(i64 tokens, i64 to, i64 vocabulary) {
        const i64* now = to_pointer<i64>(tokens);
        const Real* found = nullptr;
        require_nothing_given();
        generator().check_tokens(now, batch);
        if (vocabulary != generator_->size())
            reject("logits", "an array for " + std::to_string(generator_->size()) + " tokens",
                   vocabulary);
        run_shared(1, [&](int id, Team* team) {
            std::vector<Real> x = generator_->make_embeddings();
            i64 row = layers[0]->input_width();
            generator_->embed(now, nullptr, x.data());
            const Real* y = advance_tokens(id, current_, now, x.data(), row, team);
            const Real* all = generator_->compute_logits(id, team, 0, y, row);
            if (id == 0) found = all;
        });
        current_ ^= 1;
        for (i64 b = 0; b < batch; ++b)
            std::copy_n(found + b * generator_->row(), vocabulary,
                        to_pointer<Real>(to) + b * vocabulary);
    }

    // Generate from `tokens` on, which are replaced by the last ones; returns the steps taken, below
    // 0 where the last of them gave NaN to a sequence, whose token is then −1.
    i64 generate(const std::vector<i64>& words, double temperature, double top_p, double typical) {
        i64 *tokens = nullptr, *sampled = nullptr;
        const SamplingOptions options =
            read_options(words, {temperature, top_p, typical}, tokens, sampled);
        generator().check_tokens(tokens, batch);
        i64 taken = 0;
        run_shared(options.steps, [&](int id, Team* team) {
            int current = current_;
            std::vector<i64> found;
            const auto step = [&](const i64* read, const Real* x, i64& row) {
                current ^= 1;
                return advance_tokens(id, current ^ 1, read, x, row, team);
            };
            const i64 count =
                generator_->run(id, team, options, {tokens, tokens + batch}, found, step);
            if (id == 0) std::copy(found.begin(), found.end(), sampled), taken = count;
        });
        if (taken > 0) std::copy_n(sampled + (taken - 1) * batch, batch, tokens);
        current_ ^= int(taken & 1);
        return taken;
    }

private:
    static constexpr i64 min_shared_products = i64(1) << 28;  // of a single step: some ms
    int threads_ = 1, current_ = 0;
    i64 products_per_row_ = 0;
    Clock::time_point last_step_{};
    std::shared_ptr<const Stepper<P>> table_;
    std::unique_ptr<TokenGenerator<Real>> generator_;

    void set_vocabulary(std::shared_ptr<const PackedVocabulary<Real>> packed) {
        generator_ = std::make_unique<TokenGenerator<Real>>(std::move(packed), capacity);
        generator_->set_batch(batch);
    }

    TokenGenerator<Real>& generator() const {
        if (!generator_)
            throw std::invalid_argument(
                "expected a stream with a vocabulary, got none; attach one first");
        return *generator_;
    }

    // Reading tokens alone is for a vocabulary whose embeddings are all that the layers read.
    void require_nothing_given() const {
        if (generator().given() > 0)
            throw std::invalid_argument(
                "expected a vocabulary as wide as the layers' input, got one that reads more "
                "beside each token; generate with those numbers");
    }

    // `filter`: how all sequences are sampled, but for its top-k, if the list has no filters.
    SamplingOptions read_options(const std::vector<i64>& words, TokenFilter filter, i64*& tokens,
                                 i64*& sampled) const {
        const i64 size = generator().size();
        SectionReader in(words, ListKind::sampling, "sampling");
        SamplingOptions options;
        in.read(1, "settings", [&](Section& s) {
            options.steps = s.read("a number of steps", 0, max_size / batch);
            options.end = s.read("a token that ends");
            options.positions =
                s.read("at least one position, a number", 1, max_size / (batch * size));
            options.per_sequence_choices = s.read_flag("a flag of choices by sequence");
            filter.top_k = s.read("a number of tokens", 0);
        });
        in.read(2, "arrays", [&](Section& s) {
            const i64 count = options.steps * batch;
            const i64 rows = options.positions * (options.per_sequence_choices ? batch : 1);
            options.uniforms = s.read_array<const double>("uniform numbers", count, count == 0);
            options.choices = s.read_array<const uint8_t>("choices", rows * size);
            tokens = s.read_array<i64>("tokens", batch);
            sampled = s.read_array<i64>("room for tokens", count, count == 0);
        });
        const i64 given = generator().given();
        if (given > 0)
            in.read(3, "given numbers", [&](Section& s) {
                const i64 count = options.steps * batch * given;
                options.given = s.read_array<const Real>("numbers", count, count == 0);
            });
        options.filters = in.has_more() ? read_filters(in) : std::vector<TokenFilter>{filter};
        in.finish();
        return options;
    }

    // One for each sequence: temperature, top-k, top-p, typical.
    std::vector<TokenFilter> read_filters(SectionReader& in) const {
        return in.read(3, "filters", [&](Section& s) {
            const double* row = s.read_array<const double>("filters", 4 * batch);
            std::vector<TokenFilter> found;
            for (i64 b = 0; b < batch; ++b, row += 4)
                found.push_back({row[0], row[2], row[3], i64(row[1])});
            return found;
        });
    }

    // A thread's part of a step of all layers from tokens, whose embeddings are x.
    const Real* advance_tokens(int id, int current, const i64* tokens, const Real* x, i64& row,
                               Team* team) {
        const TableRows some{table_.get(), tokens};
        return advance(id, current, x, row, team, table_ ? &some : nullptr);
    }

    // Run job(id, team) on all threads, or here without a team: for a short single step, waking
    // workers takes longer than the step.
    template <class F> void run_shared(i64 steps, F&& job) {
        const bool is_long = steps > 1 || batch * products_per_row_ >= min_shared_products;
        if (threads_ == 1 || (!is_long && !workers_awake())) job(0, static_cast<Team*>(nullptr));
        else run_team(threads_, [&](int id, Team& team) { job(id, &team); });
        if (threads_ > 1) last_step_ = Clock::now();
    }

    // Whether workers still spin since the last step, so that sharing this one pays.
    bool workers_awake() const {
        return threads_ > 1 && Clock::now() - last_step_ < std::chrono::microseconds(20) &&
               PerProcess<ThreadPool>::get().is_idle();
    }
};

template <class P> void bind_stream(nb::module_& m, const char* name) {
    nb::class_<Stream<P>>(m, name)
        .def(nb::init<i64, int, const std::vector<Layer<P>*>&,
                      const std::vector<std::vector<double>>&>(),
             nb::keep_alive<1, 4>())
        .def("set_batch", &Stream<P>::set_batch)
        .def("step", &Stream<P>::step)
        .def("write_input", &Stream<P>::write_input)
        .def("read", &Stream<P>::read)
        .def("write", &Stream<P>::write)
        .def("rearrange", &Stream<P>::rearrange)
        .def("attach_vocabulary", &Stream<P>::attach_vocabulary)
        .def("share_vocabulary", &Stream<P>::share_vocabulary)
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
