// The time loop without Python, for a system that is not the one that tests run on: it reads
// requests from its input, computes, and writes answers to its output. `remote.py` is the other end.
//
// A request is a number of `Request` and its arguments, all words of 64 bits. A list is its length
// and its words; text is a list of characters. Arrays come as: the place of their address in a list,
// bytes, contents. An answer is 0 and a result, or 1 and a message.
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "passes.h"
#include "program_reader.h"

#if defined(_WIN32)
#include <fcntl.h>
#include <io.h>
#else
#include <dlfcn.h>
#endif

namespace sluice::SLUICE_ISA {

#if defined(_WIN32)
static void make_binary() { _setmode(0, _O_BINARY), _setmode(1, _O_BINARY); }
static void* open_library(const char* path) { return LoadLibraryA(path); }
static void* find_function(void* library, const char* name) {
    return reinterpret_cast<void*>(GetProcAddress(HMODULE(library), name));
}
#else
static void make_binary() {}
static void* open_library(const char* path) { return dlopen(path, RTLD_NOW); }
static void* find_function(void* library, const char* name) { return dlsym(library, name); }
#endif

static void read_bytes(void* to, size_t bytes) {
    if (fread(to, 1, bytes, stdin) != bytes) exit(0);  // the other end is gone
}
static i64 read_word() {
    i64 word;
    read_bytes(&word, sizeof word);
    return word;
}
static std::vector<i64> read_list() {
    std::vector<i64> words(static_cast<size_t>(read_word()));
    read_bytes(words.data(), words.size() * sizeof(i64));
    return words;
}
static std::string read_text() {
    std::string text;
    for (i64 letter : read_list()) text += char(letter);
    return text;
}
static void write_word(i64 word) { fwrite(&word, sizeof word, 1, stdout); }

// A list with the arrays whose addresses it holds. Each ends where its memory ends, and begins
// where no vector is aligned.
struct ListWithArrays {
    std::vector<i64> words = read_list();
    std::vector<std::unique_ptr<char[]>> memory;
    std::vector<std::pair<char*, size_t>> arrays;

    ListWithArrays() {
        for (i64 left = read_word(); left > 0; --left) {
            const size_t place = size_t(read_word()), bytes = size_t(read_word());
            memory.push_back(std::make_unique<char[]>(bytes + 8));
            arrays.push_back({memory.back().get() + 8, bytes});
            read_bytes(arrays.back().first, bytes);
            words.at(place) = reinterpret_cast<i64>(arrays.back().first);
        }
    }
    void write_back() const {
        for (const auto& [data, bytes] : arrays) fwrite(data, 1, bytes, stdout);
    }
};

struct AnyLayer {
    virtual ~AnyLayer() = default;
    virtual std::shared_ptr<void> run_forward(const std::vector<i64>& words, bool keep) = 0;
    virtual std::shared_ptr<void> run_backward(const std::vector<i64>& words, void* tape) = 0;
};
template <class P> struct LayerOf : AnyLayer {
    using Record = Tape<typename P::Real>;
    Layer<P> layer;
    LayerOf(const Program& program, const std::vector<i64>& words, bool trains, int threads)
        : layer(program, words, trains, threads) {}
    std::shared_ptr<void> run_forward(const std::vector<i64>& words, bool keep) override {
        return std::shared_ptr<Record>(forward(layer, words, keep));
    }
    std::shared_ptr<void> run_backward(const std::vector<i64>& words, void* tape) override {
        return std::shared_ptr<Record>(backward(layer, words, *static_cast<Record*>(tape)));
    }
};

class Driver {
public:
    enum class Request : i64 {
        load, find, program, layer, forward, backward, forward_once, backward_once, body
    };

    void answer() {
        const Request request = Request(read_word());
        try {
            switch (request) {
                case Request::load: return load();
                case Request::find: return find();
                case Request::program: return make_program();
                case Request::layer: return make_layer();
                case Request::forward: return run_forward();
                case Request::backward: return run_backward();
                case Request::forward_once: return run_forward_once();
                case Request::backward_once: return run_backward_once();
                case Request::body: return run_body();
            }
            throw std::invalid_argument("no such request");
        } catch (const std::exception& failure) {
            const std::string text = failure.what();
            write_word(1), write_word(i64(text.size()));
            fwrite(text.data(), 1, text.size(), stdout);
        }
    }

private:
    void* library_ = nullptr;
    std::vector<std::unique_ptr<Program>> programs_;
    std::vector<std::unique_ptr<AnyLayer>> layers_;
    std::vector<std::shared_ptr<void>> tapes_;

    static void succeed(i64 result) { write_word(0), write_word(result); }

    const Program& read_program() const { return *programs_.at(size_t(read_word())); }
    template <class F> static auto with_policy(const std::string& kind, F function) {
        return kind == "LayerFloat32"    ? function(static_cast<F32*>(nullptr))
               : kind == "LayerFloat64"  ? function(static_cast<F64*>(nullptr))
               : kind == "LayerBfloat16" ? function(static_cast<BF16*>(nullptr))
                                         : function(static_cast<I8*>(nullptr));
    }
    void load() {
        const std::string path = read_text();
        library_ = open_library(path.c_str());
        if (!library_) throw std::runtime_error("cannot load " + path);
        succeed(0);
    }
    void find() {
        const std::string name = read_text();
        void* found = find_function(library_, name.c_str());
        if (!found) throw std::runtime_error("there is no function " + name);
        succeed(reinterpret_cast<i64>(found));
    }
    void make_program() {
        const std::vector<i64> words = read_list();
        Program::BodyWords bodies;
        for (i64 left = read_word(); left > 0; --left) {
            const i64 address = read_word();
            bodies.push_back({address, read_list()});
        }
        programs_.push_back(std::make_unique<Program>(words, bodies, read_word()));
        succeed(i64(programs_.size()) - 1);
    }
    void make_layer() {
        const std::string kind = read_text();
        const Program& program = read_program();
        const ListWithArrays list;
        const bool trains = read_word();
        const int threads = int(read_word());
        layers_.push_back(with_policy(kind, [&]<class P>(P*) -> std::unique_ptr<AnyLayer> {
            return std::make_unique<LayerOf<P>>(program, list.words, trains, threads);
        }));
        succeed(i64(layers_.size()) - 1);
    }
    void run_forward_once() {
        const std::string kind = read_text();
        const Program& program = read_program();
        const ListWithArrays parameters, list;
        const bool keep = read_word();
        finish(with_policy(kind,
                           [&]<class P>(P*) -> std::shared_ptr<void> {
                               return std::shared_ptr<Tape<typename P::Real>>(
                                   forward_once<P>(program, parameters.words, list.words, keep));
                           }),
               list);
    }
    void run_backward_once() {
        const std::string kind = read_text();
        const Program& program = read_program();
        const ListWithArrays parameters, list;
        void* tape = tapes_.at(size_t(read_word())).get();
        finish(with_policy(kind,
                           [&]<class P>(P*) -> std::shared_ptr<void> {
                               using Record = Tape<typename P::Real>;
                               if constexpr (P::group == 4)
                                   throw std::invalid_argument("int8 weights do not train");
                               else
                                   return std::shared_ptr<Record>(
                                       backward_once<P>(program, parameters.words, list.words,
                                                        *static_cast<Record*>(tape)));
                           }),
               list);
    }
    void run_forward() {
        AnyLayer& layer = *layers_.at(size_t(read_word()));
        const ListWithArrays list;
        finish(layer.run_forward(list.words, read_word()), list);
    }
    void run_backward() {
        AnyLayer& layer = *layers_.at(size_t(read_word()));
        const ListWithArrays list;
        finish(layer.run_backward(list.words, tapes_.at(size_t(read_word())).get()), list);
    }
    void finish(std::shared_ptr<void> tape, const ListWithArrays& list) {
        tapes_.push_back(std::move(tape));
        succeed(i64(tapes_.size()) - 1);
        list.write_back();
    }
    // A body on one tile; its list holds the slots.
    void run_body() {
        const auto function = reinterpret_cast<BodyFunction>(read_word());
        const i64 rows = read_word(), blocks = read_word();
        const ListWithArrays slots;
        function(rows, blocks, slots.words.data());
        succeed(0);
        slots.write_back();
    }
};

}  // namespace sluice::SLUICE_ISA

int main() {
    using namespace sluice::SLUICE_ISA;
    make_binary();
    for (Driver driver;; fflush(stdout)) driver.answer();
}
