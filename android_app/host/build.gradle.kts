plugins {
    alias(libs.plugins.kotlin.jvm)
    application
}

kotlin {
    jvmToolchain(17)
    compilerOptions {
        allWarningsAsErrors = true
    }
}

dependencies {
    implementation(project(":contract"))
    implementation(project(":engine"))
    implementation(libs.jna)
}

application {
    mainClass = "samesight.host.HostKt"
}
