/*
 * Modem lines for pseudo-terminals, preloaded into a client (LD_PRELOAD) on Linux.
 *
 * A pty has no DTR and RTS: the kernel refuses TIOCMGET, TIOCMSET, TIOCMBIS, TIOCMBIC and TIOCGICOUNT on it. For the ptys that
 * ESPSIM_LINES names, this library asks the simulator instead and waits for its answer, so that a change of the lines keeps its
 * place between the bytes written before and after it. Nothing is kept here: each request is one connection, which makes this
 * safe in threads, after fork and in signal handlers. Every other descriptor and request goes on to the real ioctl, and so does
 * a request that nobody answers; without the variable there is nothing to look for.
 *
 * ESPSIM_LINES holds entries PTY=SOCKET separated by semicolons: the pty's path, and the path of a SOCK_SEQPACKET socket.
 * One packet goes each way, two 32-bit words in the machine's byte order:
 *     question: request of ioctl, word that the client passed
 *     answer:   error number or 0, word for the client
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <linux/serial.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#ifdef __GLIBC__
typedef unsigned long request_type;
#else
typedef int request_type;
#endif

typedef int ioctl_function(int descriptor, request_type request, ...);

struct question {
    uint32_t request;
    uint32_t word;
};

struct answer {
    uint32_t error;
    uint32_t word;
};

/* A simulator that was stopped must not hold its client for ever. */
static const struct timeval patience = {.tv_sec = 30};

static const char *ports;
static ioctl_function *next_ioctl;

__attribute__((constructor)) static void start(void)
{
    const char *value = getenv("ESPSIM_LINES");

    next_ioctl = (ioctl_function *)dlsym(RTLD_NEXT, "ioctl");
    if (value != NULL && *value != '\0')
        ports = strdup(value);
}

static int call_through(int descriptor, request_type request, void *argument)
{
    /* The constructor of another library may come before ours. */
    if (next_ioctl == NULL)
        return (int)syscall(SYS_ioctl, descriptor, request, argument);
    return next_ioctl(descriptor, request, argument);
}

/* Find the socket that answers for the file behind `descriptor`; return whether there is one. */
static int find_socket(int descriptor, struct sockaddr_un *address)
{
    struct stat wanted, candidate;
    char path[sizeof address->sun_path];
    const char *entry, *end, *equals;

    if (fstat(descriptor, &wanted) != 0 || !S_ISCHR(wanted.st_mode))
        return 0;
    for (entry = ports; *entry != '\0'; entry = *end == '\0' ? end : end + 1) {
        end = strchrnul(entry, ';');
        equals = memchr(entry, '=', (size_t)(end - entry));
        if (equals == NULL || (size_t)(equals - entry) >= sizeof path || (size_t)(end - equals) > sizeof path)
            continue;
        memcpy(path, entry, (size_t)(equals - entry));
        path[equals - entry] = '\0';
        if (stat(path, &candidate) != 0 || candidate.st_dev != wanted.st_dev || candidate.st_ino != wanted.st_ino)
            continue;
        memset(address, 0, sizeof *address);
        address->sun_family = AF_UNIX;
        memcpy(address->sun_path, equals + 1, (size_t)(end - equals - 1));
        return 1;
    }
    return 0;
}

/* Ask the simulator; return whether it answered. */
static int ask(const struct sockaddr_un *address, const struct question *question, struct answer *answer)
{
    int link, failed, answered = 0;
    ssize_t length;

    link = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (link < 0)
        return 0;
    setsockopt(link, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    do
        failed = connect(link, (const struct sockaddr *)address, sizeof *address);
    while (failed && errno == EINTR);
    if (!failed && send(link, question, sizeof *question, MSG_NOSIGNAL) == (ssize_t)sizeof *question) {
        do
            length = recv(link, answer, sizeof *answer, 0);
        while (length < 0 && errno == EINTR);
        answered = length == (ssize_t)sizeof *answer;
    }
    close(link);
    return answered;
}

/* Let the simulator carry out `request` if it answers for the descriptor; return whether it did. */
static int simulate(int descriptor, uint32_t request, void *argument, struct answer *answer)
{
    struct sockaddr_un address;
    struct question question = {.request = request};
    int answered, cancellation;

    if (!find_socket(descriptor, &address))
        return 0;
    if (request == TIOCMSET || request == TIOCMBIS || request == TIOCMBIC)
        question.word = *(const uint32_t *)argument;
    /* ioctl is no cancellation point, so what stands in for it must not be one. */
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancellation);
    answered = ask(&address, &question, answer);
    pthread_setcancelstate(cancellation, NULL);
    return answered;
}

int ioctl(int descriptor, request_type request, ...)
{
    const int errno_before = errno;
    const uint32_t code = (uint32_t)request;
    struct answer answer;
    va_list arguments;
    void *argument;

    va_start(arguments, request);
    argument = va_arg(arguments, void *);
    va_end(arguments);

    switch (code) {
    case TIOCMGET:
    case TIOCMSET:
    case TIOCMBIS:
    case TIOCMBIC:
    case TIOCGICOUNT:
        if (ports != NULL && argument != NULL && simulate(descriptor, code, argument, &answer))
            break;
        errno = errno_before;
        return call_through(descriptor, request, argument);
    default:
        return call_through(descriptor, request, argument);
    }

    if (answer.error != 0) {
        errno = (int)answer.error;
        return -1;
    }
    if (code == TIOCMGET)
        *(uint32_t *)argument = answer.word;
    else if (code == TIOCGICOUNT)
        /* None of the counted input lines is wired, so none has ever changed. */
        memset(argument, 0, sizeof(struct serial_icounter_struct));
    errno = errno_before;
    return 0;
}
