/* A shim to fill in: it answers `hello` and `kk.head`; SHIMS.md has the protocol.
 *
 *     cc -O2 -o shim template.c
 *     handfast-conformance run --shim ./shim --case '*heads*'
 *
 * C has no JSON: `text` finds the first field of a name, which is enough for this operation; the runner writes `id` first.
 * Take the library of your project for the next ones. */

#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A piece of the line. */
struct text {
    const char *start;
    size_t len;
};

/* The text of the field with this name, which is given as `"name":"`. */
static struct text text(const char *line, const char *name)
{
    const char *found = strstr(line, name);
    struct text none = {"", 0};
    if (found == NULL) return none;
    found += strlen(name);
    struct text value = {found, strcspn(found, "\"")};
    return value;
}

static int is(struct text value, const char *other)
{
    return value.len == strlen(other) && memcmp(value.start, other, value.len) == 0;
}

static void refuse(const char *area, const char *code)
{
    printf("\"ok\":false,\"area\":\"%s\",\"code\":\"%s\"}\n", area, code);
}

/* The clear head of a reconnect's message 1 (HSK-078), in hex: two letters a byte. Replace this by a call of your code. */
static void kk_head(const char *line)
{
    struct text message = text(line, "\"message\":\"");
    if (message.len < 20) {
        refuse("framing", "TRUNCATED");
        return;
    }
    struct text suite = {message.start, 2}, mode = {message.start + 2, 2};
    if (!is(suite, "01") || !(is(mode, "00") || is(mode, "01"))) {
        refuse("framing", "FIELD_VALUE");
        return;
    }
    printf("\"ok\":true,\"out\":{\"mode\":\"%s\",\"psk_id\":\"%.16s\",\"noise\":\"%.*s\"}}\n",
           is(mode, "00") ? "resume" : "recover", message.start + 4, (int)(message.len - 20), message.start + 20);
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, stdin) > 0) {
        const char *id = strstr(line, "\"id\":");
        struct text op = text(line, "\"op\":\"");
        printf("{\"id\":%ld,", id == NULL ? -1L : strtol(id + strlen("\"id\":"), NULL, 10));
        if (is(op, "hello")) {
            printf("\"ok\":true,\"proto\":1,\"spec\":\"1\",\"name\":\"template\",\"version\":\"0\",\"roles\":[\"phone\",\"web\"]}\n");
        } else if (is(op, "kk.head")) {
            kk_head(line);
        } else { /* add the next operation in front of this */
            printf("\"unsupported\":\"%.*s\"}\n", (int)op.len, op.start);
        }
        fflush(stdout);
    }
    free(line);
    return 0;
}
