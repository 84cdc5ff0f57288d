package cachefs

// SetStep sets what caches made from now on ask before each change of the
// disk: "create", "write", "seal", "rename", "remove".
func SetStep(step func(what string) error) { testStep = step }
