package sched

import "slices"

// Snapshot returns the state of a machine that has no jobs, false when it has
// some. Written as the first input of a record it makes all records before
// that one needless.
func (m *Machine) Snapshot() (*Restore, bool) {
	if len(m.jobs) > 0 {
		return nil, false
	}
	r := &Restore{LastLease: m.lastLease, LastMerge: m.lastMerge}
	listed := map[string]bool{}
	add := func(name string, s *session) {
		st := SessionState{Name: name, Num: s.num}
		if s.worker != nil {
			j := s.worker.join
			st.Join = &j
		}
		r.Sessions = append(r.Sessions, st)
		listed[name] = true
	}
	for _, w := range m.workers { // their order matters to placement
		add(w.session, m.sessions[w.session])
	}
	for _, name := range m.Sessions() {
		if !listed[name] {
			add(name, m.sessions[name])
		}
	}
	return r, true
}

// restore takes over a snapshot, if the machine is as new.
func (m *Machine) restore(r *Restore) {
	if len(m.sessions) > 0 || len(m.jobs) > 0 || m.lastLease > 0 || m.lastMerge > 0 {
		return
	}
	m.lastLease, m.lastMerge = r.LastLease, r.LastMerge
	for _, st := range slices.Clone(r.Sessions) {
		m.sessions[st.Name] = &session{num: st.Num}
		if st.Join != nil {
			m.join(st.Name, st.Join)
		}
	}
}
