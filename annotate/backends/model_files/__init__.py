"""The models folder: allowed files, installation (hub, folder, ZIP) and verification."""
