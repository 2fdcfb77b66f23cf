/* Every write at an offset is short: half of the bytes are written, and half is what comes back. Of
 * whole blocks, as direct access needs them, half of the blocks, and one block as a whole. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define BLOCK 4096

ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t at)
{
    ssize_t (*real)(int, const void *, size_t, off64_t) = dlsym(RTLD_NEXT, "pwrite64");
    const char *told = getenv("SHORT_WRITES_TOLD");
    size_t part = (len + 1) / 2;

    if (len % BLOCK == 0 && at % BLOCK == 0) {
        part -= part % BLOCK;
        if (part == 0)
            part = len;
    }
    if (told && part < len)
        close(open(told, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    return real(fd, bytes, part, at);
}
