#include "textflag.h"

// Go code of this package calls these without an ABI wrapper between, so the
// frame pointer is the caller's; the return address stands above it.

// func callerPC() uintptr
TEXT ·callerPC(SB), NOSPLIT|NOFRAME, $0-8
	MOVQ 8(BP), AX
	MOVQ AX, ret+0(FP)
	RET

// func goroutine() uintptr
TEXT ·goroutine(SB), NOSPLIT|NOFRAME, $0-8
	MOVQ (TLS), AX
	MOVQ AX, ret+0(FP)
	RET
