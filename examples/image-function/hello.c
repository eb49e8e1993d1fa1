/* A function in one static program: it asks the Runtime API for events and answers them.
   https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html */

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define ID "lambda-runtime-aws-request-id:"

static char answer[1 << 16];

/* Sends one request; the answer ends where the server closes. */
static void exchange(const char *request) {
    const char *api = getenv("AWS_LAMBDA_RUNTIME_API");
    struct sockaddr_in address = {.sin_family = AF_INET};
    char host[64];
    int port = 0;
    if (!api || sscanf(api, "%63[^:]:%d", host, &port) != 2) exit(1);
    address.sin_port = htons(port);
    inet_pton(AF_INET, host, &address.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) exit(2);
    dprintf(fd, "%s", request);
    size_t length = 0;
    ssize_t got;
    while ((got = read(fd, answer + length, sizeof answer - 1 - length)) > 0) length += got;
    answer[length] = 0;
    close(fd);
}

/* The value of a header of the answer. */
static void header(const char *name, char *value, size_t size) {
    for (char *line = answer; line; line = strchr(line, '\n')) {
        if (*line == '\n') line++;
        if (strncasecmp(line, name, strlen(name)) == 0) {
            line += strlen(name);
            line += strspn(line, " ");
            snprintf(value, size, "%.*s", (int)strcspn(line, "\r\n"), line);
            return;
        }
    }
    exit(3);
}

int main(void) {
    char id[64], request[512], message[256];
    const char *greeting = getenv("GREETING");
    setlinebuf(stdout);
    for (;;) {
        exchange("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n"
                 "Host: runtime\r\nConnection: close\r\n\r\n");
        header(ID, id, sizeof id);
        printf("an event for process %d\n", getpid());
        int length = snprintf(message, sizeof message, "\"%s from a container image\"",
                              greeting ? greeting : "Hello");
        snprintf(request, sizeof request,
                 "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\n"
                 "Host: runtime\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s",
                 id, length, message);
        exchange(request);
    }
}
