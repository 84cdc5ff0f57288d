#include "textflag.h"

// Go code of this package calls these without an ABI wrapper between, so the
// frame pointer is the caller's; the return address stands above it.

// func callerPC() uintptr
TEXT ·callerPC(SB), NOSPLIT|NOFRAME, $0-8
	MOVD 8(R29), R0
	MOVD R0, ret+0(FP)
	RET

// func goroutine() uintptr
TEXT ·goroutine(SB), NOSPLIT|NOFRAME, $0-8
	MOVD g, ret+0(FP)
	RET
