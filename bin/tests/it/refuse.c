/* Refuses the system calls whose numbers it is given with EPERM, as a container's profile does, and becomes the program
   that follows: refuse 425,426,427 PROGRAM ARGUMENT... */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#define CALLS_MAX 8

int main(int argc, char **argv)
{
    struct sock_filter steps[1 + 2 * CALLS_MAX + 1];
    unsigned short len = 0;
    char *rest;
    if (argc < 3)
        return 125;
    steps[len++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    rest = argv[1];
    while (*rest && len <= 2 * CALLS_MAX - 1) {
        unsigned call = (unsigned)strtoul(rest, &rest, 10);
        steps[len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1);
        steps[len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
        rest += *rest == ',';
    }
    steps[len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog filter = { len, steps };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter)) {
        perror("seccomp");
        return 125;
    }
    execv(argv[2], argv + 2);
    perror(argv[2]);
    return 125;
}
