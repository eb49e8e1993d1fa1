/* The program of test images: one static executable that speaks the Runtime API. An event is a JSON
   string whose first letter says what to answer: e NAME (a variable), r PATH (a file), w PATH
   (whether it can be written), s PATH (mode and owner), c (the working directory), a (arguments),
   u (the user). */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char received[1 << 16];
static char request[1 << 17];
static char answer[1 << 14];

static void exchange(const char *host, int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, host, &address.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) exit(2);
    if (write(fd, request, strlen(request)) != (ssize_t)strlen(request)) exit(3);
    size_t length = 0;
    ssize_t got;
    while ((got = read(fd, received + length, sizeof received - 1 - length)) > 0) length += got;
    received[length] = 0;
    close(fd);
}

static void work(const char *what, int argc, char **argv) {
    answer[0] = 0;
    struct stat found;
    switch (*what) {
    case 'e': {
        const char *value = getenv(what + 1);
        snprintf(answer, sizeof answer, "%s", value ? value : "(unset)");
        break;
    }
    case 'r': {
        int fd = open(what + 1, O_RDONLY);
        if (fd < 0) {
            snprintf(answer, sizeof answer, "error %d", errno);
            break;
        }
        ssize_t got = read(fd, answer, sizeof answer - 1);
        answer[got > 0 ? got : 0] = 0;
        close(fd);
        break;
    }
    case 'w': {
        int fd = open(what + 1, O_WRONLY | O_CREAT, 0600);
        snprintf(answer, sizeof answer, fd < 0 ? "error %d" : "written", errno);
        break;
    }
    case 's':
        if (lstat(what + 1, &found) != 0) snprintf(answer, sizeof answer, "error %d", errno);
        else snprintf(answer, sizeof answer, "%o %ld", found.st_mode, (long)found.st_mtime);
        break;
    case 'c':
        if (!getcwd(answer, sizeof answer)) exit(4);
        break;
    case 'a':
        for (int n = 0; n < argc; n++) {
            strcat(answer, argv[n]);
            if (n + 1 < argc) strcat(answer, " ");
        }
        break;
    case 'u':
        snprintf(answer, sizeof answer, "%s", getuid() == 0 ? "root" : "not root");
        break;
    }
}

int main(int argc, char **argv) {
    char host[64], id[64], *api = getenv("AWS_LAMBDA_RUNTIME_API");
    char *colon = strrchr(api, ':');
    snprintf(host, sizeof host, "%.*s", (int)(colon - api), api);
    int port = atoi(colon + 1);
    for (;;) {
        snprintf(request, sizeof request,
                 "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: %s\r\n"
                 "Connection: close\r\n\r\n", api);
        exchange(host, port);
        char *header = strcasestr(received, "lambda-runtime-aws-request-id: ");
        char *body = strstr(received, "\r\n\r\n");
        if (!header || !body) return 5;
        sscanf(header + 31, "%63[^\r]", id);
        body += 4;
        char *end = strrchr(body, '"');
        if (*body == '"' && end > body) { *end = 0; body++; }
        work(body, argc, argv);
        char escaped[1 << 15], *to = escaped;
        for (char *from = answer; *from && to < escaped + sizeof escaped - 8; from++) {
            if (*from == '"' || *from == '\\') { *to++ = '\\'; *to++ = *from; }
            else if ((unsigned char)*from < 32) to += sprintf(to, "\\u%04x", *from);
            else *to++ = *from;
        }
        *to = 0;
        snprintf(request, sizeof request,
                 "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: %s\r\n"
                 "Connection: close\r\nContent-Length: %zu\r\n\r\n\"%s\"",
                 id, api, strlen(escaped) + 2, escaped);
        exchange(host, port);
    }
}
