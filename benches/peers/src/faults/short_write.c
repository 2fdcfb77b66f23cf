/* The first write of a given record into a given directory is short: half of the bytes are written,
 * and that is what it returns. All other writes go through. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_int done;

/* Whether this write is the one; at most once. */
static int is_the_one(int fd, const struct iovec *parts, int count)
{
    const char *dir = getenv("SHORT_WRITE_IN"), *mark = getenv("SHORT_WRITE_OF");
    const char *told = getenv("SHORT_WRITE_TOLD");
    char link[64], path[4096];
    int part, found = 0;

    if (!dir || !mark || !told || atomic_load(&done))
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    if (len < 0)
        return 0;
    path[len] = 0;
    if (strncmp(path, dir, strlen(dir)) != 0)
        return 0;
    for (part = 0; part < count && !found; part++)
        found = memmem(parts[part].iov_base, parts[part].iov_len, mark, strlen(mark)) != NULL;
    if (!found || atomic_exchange(&done, 1))
        return 0;
    close(open(told, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    return 1;
}

/* Leaves the first half of the bytes, in whole sectors where there are several; the parts are
 * copied to `half`, and their number is returned. */
static int halve(const struct iovec *parts, int count, struct iovec *half)
{
    size_t total = 0, left;
    int part;

    for (part = 0; part < count; part++)
        total += parts[part].iov_len;
    left = total / 2;
    if (left > 512)
        left -= left % 512;
    for (part = 0; part < count && left > 0; part++) {
        half[part] = parts[part];
        if (half[part].iov_len > left)
            half[part].iov_len = left;
        left -= half[part].iov_len;
    }
    return part;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define PARTS 1024

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    struct iovec half[PARTS];

    if (count <= PARTS && is_the_one(fd, parts, count))
        return REAL(writev)(fd, half, halve(parts, count, half));
    return REAL(writev)(fd, parts, count);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at)
{
    struct iovec half[PARTS];

    if (count <= PARTS && is_the_one(fd, parts, count))
        return REAL(pwritev)(fd, half, halve(parts, count, half), at);
    return REAL(pwritev)(fd, parts, count, at);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at)
{
    return pwritev(fd, parts, count, at);
}

ssize_t write(int fd, const void *bytes, size_t len)
{
    struct iovec whole = {(void *)bytes, len}, half;

    if (is_the_one(fd, &whole, 1) && halve(&whole, 1, &half))
        return REAL(write)(fd, half.iov_base, half.iov_len);
    return REAL(write)(fd, bytes, len);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    struct iovec whole = {(void *)bytes, len}, half;

    if (is_the_one(fd, &whole, 1) && halve(&whole, 1, &half))
        return REAL(pwrite)(fd, half.iov_base, half.iov_len, at);
    return REAL(pwrite)(fd, bytes, len, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t at)
{
    return pwrite(fd, bytes, len, at);
}
