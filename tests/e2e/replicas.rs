//! Several Biplanes on one store: Envoys move between them and are resent nothing.
