// A server on uWebSockets: an echo, or with --fan one that sends what comes to all.

#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string_view>

#include "App.h"

struct Nothing {};

int main(int count, char **arguments) {
    int port = 0;
    bool deflate = false;
    bool fan = false;
    for (int at = 1; at < count; at++) {
        std::string_view argument = arguments[at];
        if (argument == "--port" && at + 1 < count) {
            port = std::atoi(arguments[++at]);
        } else if (argument == "--deflate") {
            deflate = true;
        } else if (argument == "--fan") {
            fan = true;
        } else {
            std::cerr << "this peer has no " << argument << std::endl;
            return 1;
        }
    }

    uWS::App app;
    // No context is taken over, so compressors are shared.
    auto shared = uWS::CompressOptions(uWS::SHARED_COMPRESSOR | uWS::SHARED_DECOMPRESSOR);
    app.ws<Nothing>("/*", {
        .compression = deflate ? shared : uWS::DISABLED,
        .maxPayloadLength = 64 * 1024 * 1024,
        .idleTimeout = 120,
        .maxBackpressure = 128 * 1024 * 1024,
        .open = [fan](auto *ws) {
            if (fan) {
                ws->subscribe("all");
            }
        },
        .message = [&app, deflate, fan](auto *ws, std::string_view message, uWS::OpCode opcode) {
            if (fan) {
                app.publish("all", message, opcode, deflate);
            } else {
                ws->send(message, opcode, deflate);
            }
        },
    });
    app.listen("127.0.0.1", port, [port](auto *socket) {
        if (!socket) {
            std::cerr << "cannot listen on port " << port << std::endl;
            std::exit(1);
        }
    });
    app.run();
    return 0;
}
