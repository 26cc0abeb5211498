"""Publishing releases to a folder, S3 or another file store, and fetching them from there.

`address` says where, `stored_files` what a place must be able to do, `opening` which place an address is: `s3_files`,
`fsspec_files`, `web_files` (read only) or a folder (`folder_files`). `upload` publishes, `fetch` brings back, both into
folders by `filling`, and `published_lists` carries what lies beside a release and changes. `refusals` are what may go
wrong on the way.

Imports `datasets.release.correcting` and `datasets.release.verification`.
"""
