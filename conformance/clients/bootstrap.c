/* A runtime in one static executable: takes events from the Runtime API and answers
   {"echo": EVENT}. No library but libc, no memory but two buffers. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char answer[1 << 16];
static char request[1 << 17];

/* Sends one request on a connection of its own; the answer ends where the server closes. */
static void exchange(const char *host, int port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, host, &address.sin_addr);
    int socket_fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(socket_fd, (struct sockaddr *)&address, sizeof address) != 0) exit(2);
    if (write(socket_fd, request, strlen(request)) != (ssize_t)strlen(request)) exit(3);
    size_t length = 0;
    ssize_t got;
    while ((got = read(socket_fd, answer + length, sizeof answer - 1 - length)) > 0) length += got;
    answer[length] = 0;
    close(socket_fd);
}

int main(void) {
    char host[64];
    snprintf(host, sizeof host, "%s", getenv("AWS_LAMBDA_RUNTIME_API"));
    char *colon = strchr(host, ':');
    int port = colon ? atoi(colon + 1) : 80;
    if (colon) *colon = 0;
    for (;;) {
        snprintf(request, sizeof request,
                 "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: %s\r\n"
                 "Connection: close\r\n\r\n", host);
        exchange(host, port);
        char *id = strcasestr(answer, "lambda-runtime-aws-request-id:");
        char *event = strstr(answer, "\r\n\r\n");
        if (!id || !event) return 4;
        id += strlen("lambda-runtime-aws-request-id:");
        while (*id == ' ') id++;
        int id_length = (int)strcspn(id, "\r");
        event += 4;
        snprintf(request, sizeof request,
                 "POST /2018-06-01/runtime/invocation/%.*s/response HTTP/1.1\r\nHost: %s\r\n"
                 "Connection: close\r\nContent-Length: %zu\r\n\r\n{\"echo\":%s}",
                 id_length, id, host, strlen(event) + strlen("{\"echo\":}"), event);
        exchange(host, port);
    }
}
